#define _GNU_SOURCE
#include "clinux.h"

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
