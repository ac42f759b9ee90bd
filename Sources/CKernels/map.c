#define _GNU_SOURCE
#include "CKernels.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct ck_mapping {
    char *base;
    long bytes;
    volatile sig_atomic_t is_short;
};

// The mapping that this thread reads: a bus error comes to the thread that caused it.
static _Thread_local ck_mapping *volatile accessed;
static struct sigaction earlier;
static pthread_once_t installed = PTHREAD_ONCE_INIT;

static void on_bus_error(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    ck_mapping *mapping = accessed;
    char *address = info->si_addr;
    if (mapping && address >= mapping->base && address < mapping->base + mapping->bytes) {
        char *page = mapping->base + (address - mapping->base) / getpagesize() * getpagesize();
        const size_t rest = (size_t)(mapping->base + mapping->bytes - page);
        if (mmap(page, rest, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
            mapping->is_short = 1;
            return;
        }
    }
    // Nothing of ours: it comes again at once, to whom it came before.
    sigaction(SIGBUS, &earlier, NULL);
}

static void install(void) {
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &earlier);
}

ck_mapping *ck_map(int file, long bytes) {
    ck_mapping *mapping = malloc(sizeof *mapping);
    if (!mapping) return NULL;
    *mapping = (ck_mapping){mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, file, 0), bytes, 0};
    if (mapping->base == MAP_FAILED) {
        free(mapping);
        return NULL;
    }
    // Advice only.
    madvise(mapping->base, (size_t)bytes, MADV_SEQUENTIAL);
    pthread_once(&installed, install);
    return mapping;
}

void ck_unmap(ck_mapping *mapping) {
    munmap(mapping->base, (size_t)mapping->bytes);
    free(mapping);
}

const void *ck_begin_access(ck_mapping *mapping) {
    accessed = mapping;
    return mapping->base;
}

int ck_end_access(ck_mapping *mapping, long offset, long count) {
    accessed = NULL;
    // Whole pages inside: what lies beside them may be read yet. They stay in the system's cache.
    const long page = getpagesize();
    const long first = (offset + page - 1) / page * page, end = (offset + count) / page * page;
    if (end > first && !mapping->is_short) madvise(mapping->base + first, (size_t)(end - first), MADV_DONTNEED);
    return mapping->is_short;
}
