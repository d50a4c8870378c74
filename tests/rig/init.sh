#!/bin/sh
# First process in User Mode Linux: an overlay over the host's own files, then one job in it.
# The kernel's command line names the folder shared with the host, and the checkout. What is
# written goes to the disk where there is one (ubda), else into memory.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
modules=/usr/lib/uml/modules/$(uname -r)
insmod "$modules/kernel/fs/overlayfs/overlay.ko"
mount -t sysfs sysfs /sys
if [ -e /sys/block/ubda ]; then
    mount -t devtmpfs devtmpfs /dev
    mount -t ext4 /dev/ubda /mnt || exit 1
else
    mount -t tmpfs -o mode=755 tmpfs /mnt
fi
mkdir -p /mnt/upper/var/lib /mnt/work /mnt/root
# A cloud that runs on the host is none of this machine's.
[ -e /mnt/upper/var/lib/microstack ] || mknod /mnt/upper/var/lib/microstack c 0 0
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
cd /mnt/root || exit 1
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t devtmpfs devtmpfs dev
mkdir -p dev/pts dev/shm rig/shared rig/checkout rig/host
mount -t devpts devpts dev/pts
for folder in dev/shm tmp; do mount -t tmpfs -o mode=1777 tmpfs "$folder"; done
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p run/lock
mount -t hostfs -o "$rig_shared" none rig/shared
mount -t hostfs -o "$rig_checkout" none rig/checkout
mkdir -p lib/modules
ln -sfn "$modules" "lib/modules/$(uname -r)"
# The kernel looks for modules below the root of its first process.
pivot_root . rig/host
# Each file of the host that is in the kernel's cache is one that this machine's process has open
# there, and the host limits how many: a whole cloud reads more.
(while sleep 20; do echo 3 >/proc/sys/vm/drop_caches; done) &
if [ -n "${rig_systemd:-}" ]; then
    # Then the job is a service, on a machine like any other of the distribution.
    cat >/etc/systemd/system/rig.service <<UNIT
[Service]
ExecStart=/bin/sh /rig/shared/job
StandardOutput=file:/rig/shared/output
StandardError=inherit
KillMode=process
[Install]
WantedBy=multi-user.target
UNIT
    systemctl --quiet enable rig.service
    systemctl --quiet set-default multi-user.target
    systemctl --quiet mask $(echo "$rig_systemd" | tr , " ")
    mount -t securityfs securityfs /sys/kernel/security
    exec /lib/systemd/systemd
fi
ip link set lo up
/bin/sh /rig/shared/job >/rig/shared/output 2>&1 </dev/null
echo $? >/rig/shared/code
sync
echo o >/proc/sysrq-trigger
# The kernel halts meanwhile; its first process must not end before.
read -r _ <>/dev/console
