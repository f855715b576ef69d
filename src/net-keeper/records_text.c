/* Implements records_text.h. */
#include "net-keeper/records_text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/printable.h"

#define NAME_MAX_BYTES  253 /* of a name of the domain name system */
#define LABEL_MAX_BYTES 63

struct record {
    char *name; /* with the domain */
    uint32_t address;
};

static bool is_label(const char *label, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = label[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && c != '_' && (c != '-' || i == 0 || i + 1 == size))
            return false;
    }
    return size > 0 && size <= LABEL_MAX_BYTES;
}

static bool is_name(const char *name)
{
    if (!name || !*name || strlen(name) > NAME_MAX_BYTES)
        return false;
    for (const char *label = name;; label++) {
        size_t size = strcspn(label, ".");
        if (!is_label(label, size))
            return false;
        label += size;
        if (!*label)
            return true;
    }
}

static int compare(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    int r = strcmp(x->name, y->name);
    return r ? r : (x->address > y->address) - (x->address < y->address);
}

/* Collects the records that can be written, sorted: the zone's order is not stable. *ret_bad is the name of
 * the first one that cannot be, borrowed. Returns the number of the others. */
static size_t collect(const struct net_network *network, struct record *records, size_t *ret_bad,
                      const char **ret_name)
{
    size_t n = 0;
    for (size_t i = 0; i < network->n_records; i++) {
        const struct net_record *from = network->records[i];
        struct in_addr address;
        _cleanup_free_ char *name = xasprintf("%s.%s", from->name, network->domain);
        if (!is_name(name) || inet_pton(AF_INET, from->address, &address) != 1) {
            if ((*ret_bad)++ == 0)
                *ret_name = from->name;
            continue;
        }
        records[n++] = (struct record){TAKE_PTR(name), ntohl(address.s_addr)};
    }
    if (n > 0)
        qsort(records, n, sizeof *records, compare);
    return n;
}

static void print_records(FILE *file, const struct record *records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[INET_ADDRSTRLEN];
        struct in_addr address = {htonl(records[i].address)};
        inet_ntop(AF_INET, &address, text, sizeof text);
        bool first = i == 0 || !streq(records[i - 1].name, records[i].name),
             last = i + 1 == n || !streq(records[i + 1].name, records[i].name);
        if (!first && records[i - 1].address == records[i].address) {
            fputs(last ? "]\n" : "", file);
            continue;
        }
        if (first)
            fprintf(file, "\n[[records]]\nname = \"%s\"\nips = [\"%s\"", records[i].name, text);
        else
            fprintf(file, ", \"%s\"", text);
        fputs(last ? "]\n" : "", file);
    }
}

char *records_text(const struct net_network *network, size_t *ret_size, char **ret_problem)
{
    char *text = NULL, *problem = NULL;
    const char *name = NULL;
    size_t size = 0, bad = 0, n = 0;
    struct record *records = xcalloc(network->n_records + 1, sizeof *records);
    if (!is_name(network->domain))
        problem = xasprintf("the zone has no domain for the names of its applications%s",
                            network->domain ? " that is well-formed" : "");
    else
        n = collect(network, records, &bad, &name);
    if (bad > 0) {
        _cleanup_free_ char *clean = printable(name);
        problem = xasprintf("%zu of the zone's names cannot be written, such as '%.80s'", bad, clean);
    }
    FILE *file = open_memstream(&text, &size);
    if (!file)
        abort();
    fputs(RECORDS_HEADER, file);
    print_records(file, records, n);
    if (fclose(file) != 0)
        abort();
    for (size_t i = 0; i < n; i++)
        free(records[i].name);
    free(records);
    *ret_size = size;
    *ret_problem = problem;
    return text;
}
