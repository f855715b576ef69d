/* Implements lines.h. */
#include "hostletd/lines.h"

void lines_flush(struct line_splitter *s, line_fn on_line, void *userdata)
{
    if (s->n > 0) {
        s->data[s->n] = '\0';
        s->n = 0;
        on_line(s->data, userdata);
    }
}

void lines_feed(struct line_splitter *s, const char *data, size_t n, line_fn on_line, void *userdata)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c == '\n') {
            lines_flush(s, on_line, userdata);
            continue;
        }
        if (s->n == LINE_BYTES)
            lines_flush(s, on_line, userdata);
        s->data[s->n++] = (c < 0x20 && c != '\t') || c == 0x7f ? '?' : (char)c;
    }
}

const char *line_parse(const char *line, const char *name, enum log_level *ret_level)
{
    *ret_level = LOG_LEVEL_NOTICE;
    if (line[0] != '<' || line[1] < '0' || line[1] > '7' || line[2] != '>')
        return line;
    int level = line[1] - '0';
    *ret_level = level < LOG_LEVEL_ERROR ? LOG_LEVEL_ERROR : (enum log_level)level;
    line += 3;
    const char *rest = after_prefix(line, name);
    return rest && rest[0] == ':' && rest[1] == ' ' ? rest + 2 : line;
}
