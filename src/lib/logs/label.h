/* Makes the name of a task printable and unambiguous, for the lines of a container's log and for the names of
 * files. inagent writes it, hostletctl compares it; it is compiled with musl, too. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* bytes, with the final NUL; a longer label is cut */
#define LOG_LABEL_SIZE 128

/* inagent writes each line of a task's output to the container's log as "LABEL: LINE". */
#define LOG_LABEL_END   ": "
#define LOG_PREFIX_SIZE (LOG_LABEL_SIZE + sizeof LOG_LABEL_END)

/* bytes of the longest line in the container's log, with its label; inagent splits a longer one */
#define LOG_LINE_MAX 60000

/* Writes the label of a task: letters, digits, '.', '_', '-' and, unless it is for a file, '/' stand for
 * themselves, every other byte is "%XX" (hexadecimal). The first byte of a label for a file is never a dot.
 * The label of a task named "inagent" is "%69nagent", since inagent's own lines begin with its name. */
void log_label(const char *task, bool file, char ret[LOG_LABEL_SIZE]);

/* Writes what each line of the task begins with: its label and LOG_LABEL_END. Returns the number of bytes. */
size_t log_label_prefix(const char *task, char ret[LOG_PREFIX_SIZE]);
