#define _GNU_SOURCE
#include "clinux.h"

#ifdef __linux__
#include <sys/prctl.h>

void clinux_set_timer_slack(unsigned long nanoseconds) { prctl(PR_SET_TIMERSLACK, nanoseconds); }
#else
void clinux_set_timer_slack(unsigned long nanoseconds) { (void)nanoseconds; }
#endif

int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}
