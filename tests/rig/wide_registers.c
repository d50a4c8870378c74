/*
 * Lets User Mode Linux run on processors with more registers than it has room for.
 *
 * Linux takes the extended registers of a traced process whole or not at all: a set of another
 * size than the processor's own fails with EFAULT (arch/x86/kernel/fpu/regset.c, xstateregs_set).
 * User Mode Linux before 6.13 keeps a set of fixed size, which on processors with AMX is too
 * small by the eight KiB of tiles, so that its init dies at once. A process has tiles only after
 * it asked for them by arch_prctl(2), and nothing in the rig does: here a set is made whole with
 * tiles that are not in use.
 *
 * Preloaded, it takes ptrace(2)'s place. There is one traced process at a time that it is called
 * for, so that one buffer serves.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { XFEATURES = 512 }; /* where a set names its parts (Intel SDM, volume 1, 13.4.2) */
static const uint64_t TILES = 3ull << 17;

static uint8_t whole[64 * 1024];
static size_t size; /* of a whole set, as the kernel gave it */

static long trace(long request, long pid, void *address, void *data)
{
    return syscall(SYS_ptrace, request, pid, address, data);
}

static void clear_tiles(uint8_t *set, size_t length)
{
    uint64_t features;

    if (length < XFEATURES + sizeof features)
        return;
    memcpy(&features, set + XFEATURES, sizeof features);
    features &= ~TILES;
    memcpy(set + XFEATURES, &features, sizeof features);
}

static long get_registers(long pid, void *kind, struct iovec *wanted)
{
    struct iovec all = { whole, sizeof whole };
    long result = trace(PTRACE_GETREGSET, pid, kind, &all);

    if (result < 0)
        return result;
    size = all.iov_len;
    if (wanted->iov_len > size)
        wanted->iov_len = size;
    memcpy(wanted->iov_base, whole, wanted->iov_len);
    clear_tiles(wanted->iov_base, wanted->iov_len);
    return result;
}

static long set_registers(long pid, void *kind, struct iovec *given)
{
    struct iovec all = { whole, size };

    if (given->iov_len >= size)
        return trace(PTRACE_SETREGSET, pid, kind, given);
    memset(whole, 0, size);
    memcpy(whole, given->iov_base, given->iov_len);
    return trace(PTRACE_SETREGSET, pid, kind, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
    va_list arguments;
    long pid, result, word;
    void *address, *data;

    va_start(arguments, request);
    pid = va_arg(arguments, int);
    address = va_arg(arguments, void *);
    data = va_arg(arguments, void *);
    va_end(arguments);

    if ((uintptr_t)address == NT_X86_XSTATE && request == PTRACE_GETREGSET)
        return get_registers(pid, address, data);
    if ((uintptr_t)address == NT_X86_XSTATE && request == PTRACE_SETREGSET)
        return set_registers(pid, address, data);
    if (request < PTRACE_PEEKTEXT || request > PTRACE_PEEKUSER)
        return trace(request, pid, address, data);
    /* The kernel stores the word; the C library returns it. */
    result = trace(request, pid, address, &word);
    if (result == 0)
        errno = 0;
    return result < 0 ? result : word;
}
