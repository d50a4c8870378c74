/*
 * Lets libvirt start guests under snapd, which allows setgroups(2) to drop all groups and nothing
 * else (snapd, interfaces/seccomp/template.go).
 *
 * Before it starts QEMU libvirt sets the groups of the account that guests run as. In the snap that
 * is root, whose one group is root's own: to drop all groups gives the guest no more than that.
 * Preloaded into libvirtd, it takes setgroups' place. Any other list is handed on as it is.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <sys/syscall.h>
#include <unistd.h>

int setgroups(size_t count, const gid_t *groups)
{
    if (count == 1 && groups[0] == 0)
        count = 0;
    return (int)syscall(SYS_setgroups, count, groups);
}
