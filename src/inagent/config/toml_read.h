/* Reads TOML 1.0. */
#pragma once

#include "inagent/config/document.h"

/* A header or a key with its value, in lines of its own. */
struct toml_statement {
    size_t begin, end; /* with the last newline */
    struct node *node;
    bool header;
};

struct toml {
    struct document document;
    struct toml_statement *statements;
    size_t n_statements;
};

/* Reads the tree and the statements of toml->document, which is open. Refuses what is not TOML. */
int toml_read(struct toml *toml);

/* Frees the statements and the document. */
void toml_done(struct toml *toml);
