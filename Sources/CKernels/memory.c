#define _GNU_SOURCE
#include "CKernels.h"

#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

enum { LARGE_PAGE = 2 << 20 };

void *ck_allocate(long bytes) {
    void *memory = NULL;
    if (bytes < 2 * LARGE_PAGE) {
        if (posix_memalign(&memory, 64, (size_t)bytes) != 0) return NULL;
    } else {
        if (posix_memalign(&memory, LARGE_PAGE, (size_t)bytes) != 0) return NULL;
#if defined(__linux__)
        // Advice only: without large pages the memory is as good, and slower.
        madvise(memory, (size_t)bytes, MADV_HUGEPAGE);
#endif
    }
    memset(memory, 0, (size_t)bytes);
    return memory;
}

void ck_free(void *memory) { free(memory); }
