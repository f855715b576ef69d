/* Limits the texts of a tenant that are stored with an instance. No function has a side effect. */
#pragma once

#include <stddef.h>

/* Returns a copy of at most 'max' bytes of a text, without half a UTF-8 character, that takes no more than
 * '*room' bytes of JSON, and subtracts these from '*room'. Returns NULL for no text and an empty one. The
 * caller frees the copy. */
char *agent_text(const char *text, size_t max, size_t *room);
