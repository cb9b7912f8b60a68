/* Loaded before a program's libraries (LD_PRELOAD): every fsync and fdatasync takes longer.
 *
 * BONPUNKT_FLUSH_FILE names a file with one 32-bit number, which may change at any time: how many
 * microseconds longer. The wait is slept, since a disk takes no processor either.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static const volatile uint32_t *longer_us;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("BONPUNKT_FLUSH_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof(uint32_t), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED)
        longer_us = mapped;
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* else every sleep is 50 us too long */
}

static int after_a_while(int result) {
    int saved = errno;
    uint32_t us = longer_us ? *longer_us : 0;
    struct timespec left = {us / 1000000, (long)(us % 1000000) * 1000};
    while (us > 0 && nanosleep(&left, &left) != 0 && errno == EINTR)
        ; /* a signal is not what the disk was waiting for */
    errno = saved;
    return result;
}

int fsync(int file) {
    int (*really)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return after_a_while(really(file));
}

int fdatasync(int file) {
    int (*really)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return after_a_while(really(file));
}
