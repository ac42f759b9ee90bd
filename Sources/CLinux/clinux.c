#define _GNU_SOURCE
#include "clinux.h"
#include <fcntl.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>

void clinux_set_timer_slack(unsigned long nanoseconds) { prctl(PR_SET_TIMERSLACK, nanoseconds); }
void clinux_set_thread_name(const char *name) { prctl(PR_SET_NAME, name); }
#else
void clinux_set_timer_slack(unsigned long nanoseconds) { (void)nanoseconds; }
void clinux_set_thread_name(const char *name) { (void)name; }
#endif

int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

// Locks of the open file, not of the process: two in one process exclude each other, and closing another descriptor of the
// file does not let go of them.
#ifdef F_OFD_SETLK
static struct flock byte_at(long offset) {
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1};
    return range;
}

int clinux_hold_byte(int descriptor, long offset) {
    struct flock range = byte_at(offset);
    return fcntl(descriptor, F_OFD_SETLK, &range);
}

int clinux_is_byte_held(int descriptor, long offset) {
    struct flock range = byte_at(offset);
    if (fcntl(descriptor, F_OFD_GETLK, &range) != 0) return -1;
    return range.l_type != F_UNLCK;
}
#else
int clinux_hold_byte(int descriptor, long offset) { return (void)descriptor, (void)offset, -1; }
int clinux_is_byte_held(int descriptor, long offset) { return (void)descriptor, (void)offset, -1; }
#endif

int clinux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }
