/* Holds a text that is edited in place: its tree of nodes with their positions, and the replacements to make.
 *
 * The parsers of the formats build the tree, the functions that merge add replacements, and everything else
 * of the text stays as it is, byte by byte. Messages name lines and columns and never repeat a word of the
 * text, which can be secret. */
#pragma once

#include <jansson.h>

#include "lib/basic/error.h"

/* Limits of a text. */
#define DOCUMENT_MAX       (16U << 20) /* bytes */
#define DOCUMENT_DEPTH_MAX 64U         /* nested tables and arrays */

enum node_kind {
    NODE_VALUE, /* a scalar or an array: replaced as a whole */
    NODE_TABLE, /* an object, a mapping, a table: its members are 'first' to 'last' */
    NODE_ARRAY, /* TOML's array of tables: its elements are 'first' to 'last', without keys */
};

/* How a table of TOML is written. */
enum table_form { TABLE_IMPLICIT, TABLE_HEADER, TABLE_DOTTED, TABLE_INLINE };

/* All positions are offsets in the document's text. */
struct node {
    struct node *older; /* the node that was made before, for freeing */
    struct node *parent, *next, *first, *last;
    char *key; /* decoded, with a final NUL; can contain NULs */
    size_t key_size;
    enum node_kind kind;
    enum table_form form;
    bool plain;                /* YAML: the key is not quoted */
    size_t key_begin, key_end; /* the key as it is written */
    size_t colon;              /* YAML: behind the colon of the key */
    size_t begin, end;         /* the value; equal if it is missing, or only below */
    size_t below, below_end;   /* YAML: the lines of the value that are below the key's line */
    size_t indent;             /* YAML: the column of a mapping's keys */
    bool block;                /* YAML: it ends with a text block */
    size_t tail;               /* TOML: where the next member of this table is inserted */
    size_t n_values;           /* TOML: values in an inline table */
    bool removed;              /* TOML: its statements are removed; 'instead' replaces the first one */
    char *instead;
};

struct replacement {
    size_t begin, end; /* of what is replaced */
    char *text;
    size_t order; /* of replacements with the same beginning */
};

struct document {
    const char *name; /* what messages call it; borrowed */
    const char *text; /* with a final NUL; borrowed */
    size_t size, at;  /* 'at' is the parser's position */
    size_t start;     /* behind the byte order mark */
    const char *newline;
    struct node *root, *newest;
    json_t *index; /* of all members, for document_find() */
    struct replacement *replacements;
    size_t n_replacements;
    size_t n_added;   /* texts that are added at the end */
    size_t open_end;  /* YAML: a text block that ends without a newline, or 0 */
    size_t block_end; /* YAML: the end of the last text block */
    struct error *e;
};

/* Begins with a text of 'size' bytes and a final NUL; both strings are borrowed. Refuses a text that is too
 * long or contains a NUL, a control character or a carriage return that ends no line, and, with 'utf8', one
 * that is not UTF-8. Errors, here and below, go to 'e'. document_done() frees the document, also after a
 * failure. */
int document_open(struct document *d, const char *name, const char *text, size_t size, bool utf8,
                  struct error *e);
void document_done(struct document *d);

/* Fills the error with the line and the column of a position and this text, and returns −EINVAL. */
int document_refuse(const struct document *d, size_t at, const char *fmt, ...) _printf_(3, 4);

/* Returns a new node below 'parent' (NULL: the root). Takes ownership of 'key'; NULL: none, and the node is
 * not found by document_find(). The node belongs to the document. */
struct node *document_add(struct document *d, struct node *parent, char *key, size_t key_size);

/* Returns the member of a table with this key, or NULL. */
struct node *document_find(const struct document *d, const struct node *table, const char *key,
                           size_t key_size);

/* Replaces a part of the text; takes ownership of 'text'. Parts do not overlap; texts that are inserted at
 * the same position follow each other in the order of the calls. */
void document_replace(struct document *d, size_t begin, size_t end, char *text);

/* Inserts lines, which end with a newline, in place of whole lines or of none; takes ownership of 'lines'. If
 * the text has no newline at its end and the lines follow it, it gets one. */
void document_replace_lines(struct document *d, size_t begin, size_t end, char *lines);

/* Returns the text with all replacements; the caller frees it. */
char *document_result(struct document *d, size_t *ret_size);

/* Positions: the beginning of the line, the end of the line without and with its newline. */
size_t document_line(const struct document *d, size_t at);
size_t document_line_end(const struct document *d, size_t at);
size_t document_line_next(const struct document *d, size_t at);

/* Reports whether only white space precedes the position in its line. */
bool document_first_in_line(const struct document *d, size_t at);

/* Reports whether both parts are the same bytes. */
bool document_same(const struct document *a, size_t begin, size_t end, const struct document *b,
                   size_t other_begin, size_t other_end);

/* Appends a character as UTF-8 to 'to', which has room for 4 bytes, and returns the number of its bytes. */
size_t document_put_character(char *to, uint32_t code);

/* Reads the four digits of \u at d->at, and a following \u if both are the halves of one character, and
 * appends the character to *to. Returns false if there are no four digits. */
bool document_read_unicode(struct document *d, char **to);

/* Reads 'n' hexadecimal digits. Returns a negative number if they are not. */
int64_t document_hex(const char *s, size_t n);
