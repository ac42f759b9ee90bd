#define _GNU_SOURCE
#include "pool.h"

#include <stdlib.h>

#if defined(__linux__)
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

// Looks at a flag before a thread sleeps: some 30 µs, longer than the gaps between the products of a step. A thread that
// waits longer sleeps, because it may wait for a thread whose processor somebody else has.
enum { PATIENCE = 4000 };

struct ck_pool {
    // The job. Fixed while pieces of it are left or unfinished.
    ck_task task;
    const void *job;
    long count, pieces;
    // Number of the job, and in the low half the pieces that nobody has taken.
    _Atomic uint64_t open;
    // Pieces that are done; the caller sleeps on it.
    _Atomic uint32_t done;
    _Atomic uint32_t caller_sleeps;
    // Counts wake-ups; workers sleep on it.
    _Atomic uint32_t bell;
    _Atomic uint32_t sleepers;
    _Atomic int stopping;
    int threads;
    struct worker *workers;
    // The processor that no worker is kept on: the caller's. -1 where there are fewer than threads.
    int home;
};

struct worker {
    ck_pool *pool;
    pthread_t handle;
    int thread, processor;
};

static void sleep_while(_Atomic uint32_t *word, uint32_t value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void wake_all(_Atomic uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0); }

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Takes pieces of the open job until none is left. A piece that is taken keeps the job open, so its fields are read only
// after that.
static void take_pieces(ck_pool *pool, int thread) {
    uint64_t open = atomic_load(&pool->open);
    while ((uint32_t)open != 0) {
        if (!atomic_compare_exchange_weak(&pool->open, &open, open - 1)) continue;
        const long piece = pool->pieces - (long)(uint32_t)open, pieces = pool->pieces;
        pool->task(pool->job, pool->count * piece / pieces, pool->count * (piece + 1) / pieces, thread);
        if (atomic_fetch_add(&pool->done, 1) + 1 == (uint32_t)pieces && atomic_load(&pool->caller_sleeps))
            wake_all(&pool->done);
        open = atomic_load(&pool->open);
    }
}

static void *work(void *argument) {
    struct worker *self = argument;
    ck_pool *pool = self->pool;
    while (!atomic_load(&pool->stopping)) {
        for (int i = 0; i < PATIENCE && (uint32_t)atomic_load(&pool->open) == 0; i++) pause_briefly();
        if ((uint32_t)atomic_load(&pool->open) != 0) {
            take_pieces(pool, self->thread);
            continue;
        }
        atomic_fetch_add(&pool->sleepers, 1);
        const uint32_t bell = atomic_load(&pool->bell);
        // What is opened from here on rings.
        if ((uint32_t)atomic_load(&pool->open) == 0 && !atomic_load(&pool->stopping)) sleep_while(&pool->bell, bell);
        atomic_fetch_sub(&pool->sleepers, 1);
    }
    return NULL;
}

static void ring(ck_pool *pool) {
    atomic_fetch_add(&pool->bell, 1);
    wake_all(&pool->bell);
}

static void keep(struct worker *worker, int processor) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    pthread_setaffinity_np(worker->handle, sizeof one, &one);
    worker->processor = processor;
}

// Keeps each worker on a processor of its own among those that the process may use; nowhere when there are too few.
static void keep_apart(ck_pool *pool) {
    cpu_set_t allowed;
    pool->home = -1;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < pool->threads) return;
    int thread = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && thread < pool->threads; cpu++) {
        if (!CPU_ISSET(cpu, &allowed)) continue;
        if (thread == 0) pool->home = cpu; else keep(pool->workers + thread, cpu);
        thread++;
    }
}

// The caller goes where the system puts it. A worker that is kept there would wait for it: it takes the caller's place.
static void make_way(ck_pool *pool) {
    if (pool->home < 0) return;
    const int here = sched_getcpu();
    for (int i = 1; here != pool->home && i < pool->threads; i++) {
        if (pool->workers[i].processor != here) continue;
        keep(pool->workers + i, pool->home);
        pool->home = here;
    }
}

ck_pool *ck_pool_create(int threads) {
    ck_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return NULL;
    pool->workers = calloc((size_t)threads, sizeof *pool->workers);
    pool->threads = 1;
    for (int i = 1; pool->workers && i < threads; i++) {
        struct worker *worker = pool->workers + pool->threads;
        *worker = (struct worker){.pool = pool, .thread = pool->threads};
        if (pthread_create(&worker->handle, NULL, work, worker) != 0) break;
        pool->threads++;
    }
    keep_apart(pool);
    return pool;
}

void ck_pool_destroy(ck_pool *pool) {
    if (!pool) return;
    atomic_store(&pool->stopping, 1);
    ring(pool);
    for (int i = 1; i < pool->threads; i++) pthread_join(pool->workers[i].handle, NULL);
    free(pool->workers);
    free(pool);
}

int ck_pool_threads(const ck_pool *pool) { return pool ? pool->threads : 1; }

void ck_run(ck_pool *pool, long count, long grain, ck_task task, const void *job) {
    // A few pieces a thread, so that one which starts late or loses its processor takes fewer.
    long pieces = pool ? 4L * pool->threads : 1;
    if (pieces > count / grain) pieces = count / grain;
    if (!pool || pool->threads == 1 || pieces < 2) {
        if (count > 0) task(job, 0, count, 0);
        return;
    }
    make_way(pool);
    pool->task = task, pool->job = job, pool->count = count, pool->pieces = pieces;
    atomic_store(&pool->done, 0);
    const uint64_t number = (atomic_load(&pool->open) >> 32) + 1;
    atomic_store(&pool->open, number << 32 | (uint64_t)pieces);
    if (atomic_load(&pool->sleepers)) ring(pool);
    take_pieces(pool, 0);

    uint32_t done;
    for (int i = 0; i < PATIENCE && atomic_load(&pool->done) != (uint32_t)pieces; i++) pause_briefly();
    while ((done = atomic_load(&pool->done)) != (uint32_t)pieces) {
        atomic_store(&pool->caller_sleeps, 1);
        sleep_while(&pool->done, done);
        atomic_store(&pool->caller_sleeps, 0);
    }
}

#else

// Elsewhere everything runs on the caller's thread.
struct ck_pool {
    int threads;
};
ck_pool *ck_pool_create(int threads) {
    (void)threads;
    return NULL;
}
void ck_pool_destroy(ck_pool *pool) { (void)pool; }
int ck_pool_threads(const ck_pool *pool) { return (void)pool, 1; }
void ck_run(ck_pool *pool, long count, long grain, ck_task task, const void *job) {
    (void)pool, (void)grain;
    if (count > 0) task(job, 0, count, 0);
}

#endif
