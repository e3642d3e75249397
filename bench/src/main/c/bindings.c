// SPDX-License-Identifier: Apache-2.0
// The loops of io.vfio4j.bench.BindingCost, in C: what a system call costs without Java.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST = 4 << 20, BATCH = 64 };

static int memfd;
static int zero;
static char *buffer;
static size_t length;

static long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void check(long result, const char *what) {
    if (result < 0) {
        perror(what);
        exit(1);
    }
}

static void call_ioctl(void) { check(ioctl(memfd, FIONREAD, buffer), "ioctl"); }
static void read_zero(void) { check(read(zero, buffer, length), "read"); }

static void measure(const char *name, void (*call)(void), long nanos) {
    for (long end = now() + nanos / 4; now() < end;) {
        call();
    }
    long calls = 0;
    long begin = now();
    long at = begin;
    while (at - begin < nanos) {
        for (int i = 0; i < BATCH; i++) {
            call();
        }
        calls += BATCH;
        at = now();
    }
    printf("%s %.2f\n", name, (double)(at - begin) / (double)calls);
}

int main(int argc, char **argv) {
    long nanos = (argc > 1 ? atol(argv[1]) : 1000) * 1000000L;
    memfd = memfd_create("bindings", MFD_CLOEXEC);
    check(memfd, "memfd_create");
    check(ftruncate(memfd, 4096), "ftruncate");
    zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    check(zero, "/dev/zero");
    buffer = aligned_alloc(4096, LARGEST);
    if (buffer == NULL) {
        return 1;
    }
    measure("ioctl", call_ioctl, nanos);
    for (length = 4096; length <= LARGEST; length *= length == 1 << 20 ? 4 : 16) {
        char name[32];
        snprintf(name, sizeof name, "read/%zu", length);
        measure(name, read_zero, nanos);
    }
    return 0;
}
