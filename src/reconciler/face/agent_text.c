/* Implements agent_text.h. */
#include "reconciler/face/agent_text.h"

#include "lib/basic/util.h"

/* Returns how many bytes of a text fit into '*room' bytes of JSON, and subtracts these: most characters take
 * one byte in JSON, some take two or six. */
static size_t take_room(const char *text, size_t n, size_t *room)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        size_t cost = c < ' ' ? 6 : c == '"' || c == '\\' ? 2 : 1;
        if (cost > *room)
            return i;
        *room -= cost;
    }
    return n;
}

/* Returns the largest length up to 'n' that does not cut a UTF-8 character. */
static size_t whole_characters(const char *text, size_t n)
{
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return n;
}

char *agent_text(const char *text, size_t max, size_t *room)
{
    if (!text || !*text)
        return NULL;
    size_t n = whole_characters(text, take_room(text, strnlen(text, max), room));
    return n > 0 ? xstrndup(text, n) : NULL;
}
