/* Adds a line to the text of /etc/passwd or /etc/group if its name is missing. */
#pragma once

/* The user that applications run as in their container, a constant of the InnerStack contract. */
#define ACTION_NAME "action"
#define ACTION_ID   2048

/* Returns 'text' with 'line' (without its newline) appended, or NULL if a line for 'name' exists, whatever
 * its content: the image's decision is kept. The caller frees it. */
char *users_add(const char *text, const char *name, const char *line);
