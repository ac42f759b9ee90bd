#pragma once
#include "CKernels.h"

// Computes `first ..< last` of a job's items, on thread `thread` of the pool.
typedef void (*ck_task)(const void *job, long first, long last, int thread);

// Runs a task over `count` items, in pieces of at least `grain`, on all threads of the pool; on the caller's alone where
// there is no pool. Returns when all are done. Which thread takes which piece is not fixed, so an item must not depend on
// it.
void ck_run(ck_pool *pool, long count, long grain, ck_task task, const void *job);
