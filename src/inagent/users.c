/* Implements users.h. */
#include "inagent/users.h"

#include "lib/basic/util.h"

char *users_add(const char *text, const char *name, const char *line)
{
    for (const char *at = text; at; at = strchr(at, '\n')) {
        if (*at == '\n')
            at++;
        const char *rest = after_prefix(at, name);
        if (rest && *rest == ':')
            return NULL;
    }
    size_t n = strlen(text);
    const char *newline = n > 0 && text[n - 1] != '\n' ? "\n" : "";
    return xasprintf("%s%s%s\n", text, newline, line);
}
