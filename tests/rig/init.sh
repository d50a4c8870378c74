#!/bin/sh
# First process in User Mode Linux: an overlay over the host's own files, then one job in it.
# The kernel's command line names the folder shared with the host, and the checkout.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
modules=/usr/lib/uml/modules/$(uname -r)
insmod "$modules/kernel/fs/overlayfs/overlay.ko"
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
cd /mnt/root || exit 1
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t devtmpfs devtmpfs dev
mkdir -p dev/pts dev/shm rig/shared rig/checkout
mount -t devpts devpts dev/pts
for folder in dev/shm run tmp; do mount -t tmpfs tmpfs "$folder"; done
mkdir -p run/lock
mount -t hostfs -o "$rig_shared" none rig/shared
mount -t hostfs -o "$rig_checkout" none rig/checkout
mkdir -p lib/modules
ln -sfn "$modules" "lib/modules/$(uname -r)"
chroot . ip link set lo up
chroot . /bin/sh /rig/shared/job >/mnt/root/rig/shared/output 2>&1 </dev/null
echo $? >/mnt/root/rig/shared/code
sync
echo o >/proc/sysrq-trigger
# The kernel halts meanwhile; its first process must not end before.
read -r _ <>/dev/console
