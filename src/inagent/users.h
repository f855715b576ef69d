/* The text of /etc/passwd and /etc/group: a line added where its name is missing. */
#pragma once

/* The user that applications run as in their container, a constant of the InnerStack contract. */
#define ACTION_NAME "action"
#define ACTION_ID   2048

/* 'text' with 'line' (without its newline) appended, or NULL when a line for 'name' is there already,
 * whatever it says: what an image decided is left alone. The caller frees. */
char *users_add(const char *text, const char *name, const char *line);
