/* Implements label.h. */
#include "lib/logs/label.h"

#include <string.h>

static bool stands_for_itself(char c, bool file, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || (c == '.' && !(file && first)) || (c == '/' && !file);
}

void log_label(const char *task, bool file, char ret[LOG_LABEL_SIZE])
{
    static const char digits[] = "0123456789ABCDEF";
    bool reserved = strcmp(task, "inagent") == 0;
    size_t n = 0;
    for (const char *c = task; *c && n + 3 < LOG_LABEL_SIZE; c++) {
        if (stands_for_itself(*c, file, c == task) && !(reserved && c == task)) {
            ret[n++] = *c;
            continue;
        }
        ret[n++] = '%';
        ret[n++] = digits[(unsigned char)*c >> 4];
        ret[n++] = digits[(unsigned char)*c & 15];
    }
    ret[n] = '\0';
}

size_t log_label_prefix(const char *task, char ret[LOG_PREFIX_SIZE])
{
    log_label(task, false, ret);
    size_t n = strlen(ret);
    memcpy(ret + n, LOG_LABEL_END, sizeof LOG_LABEL_END);
    return n + strlen(LOG_LABEL_END);
}
