/* Parses the options of commands, and prints their help. */
#pragma once

#include "ctl/ctl.h"

/* Returns the value of an option of this command (borrowed), "" for a flag, or NULL if it was not given. */
const char *ctl_option(const struct ctl *ctl, const char *name);
/* Return the value of an option as a duration in microseconds, or as a number; 'standard' if the option was
 * not given. Exit with EXIT_USAGE if the value is malformed or out of range. */
uint64_t ctl_option_duration(const struct ctl *ctl, const char *name, uint64_t standard);
int64_t ctl_option_number(const struct ctl *ctl, const char *name, int64_t min, int64_t max,
                          int64_t standard);

/* Begins the time-out of the whole command, whose value is 'text'. Exits with EXIT_USAGE if it is malformed.
 */
void ctl_limit(const char *text);

/* Parses the words after the command's name (argv[0]) into 'ctl' and *ret_prefix. Returns −1 if the command
 * is to be executed, else the exit code of hostletctl. */
int ctl_parse_options(struct ctl *ctl, int argc, char **argv, const char **ret_prefix);
