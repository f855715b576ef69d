/* Implements template.h. */
#include "inagent/template.h"

#include <ctype.h>
#include <stdio.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/util.h"

char *template_expand(const char *text, template_lookup_fn lookup, void *context)
{
    char *ret = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&ret, &size);
    if (!out)
        abort();
    while (*text) {
        size_t plain = strcspn(text, "$");
        fwrite(text, 1, plain, out);
        text += plain;
        if (!*text)
            break;
        const char *key = after_prefix(text, "${");
        size_t n = key ? strcspn(key, "}$\n") : 0;
        const char *value = n > 0 && key[n] == '}' ? lookup(context, key, n) : NULL;
        if (value) {
            fputs(value, out);
            text = key + n + 1;
        } else {
            fputc(*text++, out);
        }
    }
    if (fclose(out) != 0)
        abort();
    return ret;
}

char *template_trim(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t n = strlen(text);
    while (n > 0 && isspace((unsigned char)text[n - 1]))
        n--;
    return xstrndup(text, n);
}
