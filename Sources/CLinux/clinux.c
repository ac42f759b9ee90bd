#include "clinux.h"

#ifdef __linux__
#include <sys/prctl.h>

void clinux_set_timer_slack(unsigned long nanoseconds) { prctl(PR_SET_TIMERSLACK, nanoseconds); }
void clinux_set_thread_name(const char *name) { prctl(PR_SET_NAME, name); }
#else
void clinux_set_timer_slack(unsigned long nanoseconds) { (void)nanoseconds; }
void clinux_set_thread_name(const char *name) { (void)name; }
#endif
