/* A list of changes of the kernel's network. */
#pragma once

#include "net-keeper/actual.h"

enum change_kind {
    CHANGE_CREATE_DEVICE,
    CHANGE_SET_DEVICE,
    CHANGE_MARK_DEVICE, /* sets its alias */
    CHANGE_DELETE_DEVICE,
    CHANGE_DELETE_ADDRESS,
    CHANGE_ADD_ADDRESS,
    CHANGE_ADD_ENTRY,
    CHANGE_REPLACE_ENTRY, /* of an Ethernet address, which has one */
    CHANGE_DELETE_ENTRY,
    CHANGE_ADD_ROUTE,
    CHANGE_REPLACE_ROUTE,
    CHANGE_DELETE_ROUTE,
};

/* What CHANGE_SET_DEVICE sets: attributes of a message, and with DEVICE_NO_IPV6 a file of the kernel. */
enum { DEVICE_LOWER = 1, DEVICE_MTU = 2, DEVICE_UP = 4, DEVICE_LEARNING = 8, DEVICE_NO_IPV6 = 16 };

struct change {
    enum change_kind kind;
    union {
        unsigned set; /* of CHANGE_SET_DEVICE */
        struct actual_address address;
        struct actual_entry entry;
        struct actual_route route;
    };
};

struct changes {
    struct change *items;
    size_t n;
};

/* Appends a change, and returns it for its members to be set. The pointer is valid until the next one. */
struct change *changes_add(struct changes *changes, enum change_kind kind);
void changes_done(struct changes *changes);

/* Returns a change as words: "add route 10.10.4.0/24 by 10.10.1.4". The caller frees the text. */
char *change_text(const struct change *change);
/* Returns how many changes of each kind there are, as words: "entry added (2), route removed (1)". The caller
 * frees the text. */
char *changes_text(const struct changes *changes);
