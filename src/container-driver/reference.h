/* References to images: name, name:tag, name@digest, or an id, read as the field reads them, so that "nginx"
 * and "docker.io/library/nginx:latest" are known to be one image. */
#pragma once

#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"

struct image_reference {
    char *text;   /* as it was given */
    char *id;     /* "sha256:…" when it is an id; the others are NULL then */
    char *domain; /* docker.io, registry.example:5000 */
    char *path;   /* library/nginx */
    char *tag;    /* "latest" unless given; NULL beside a digest */
    char *digest; /* sha256:…; NULL mostly */
};

/* Refused, with a message that says what is wrong: what is no reference. */
int image_reference_parse(const char *text, struct image_reference **ret, struct error *e);
void image_reference_free(struct image_reference *r);

/* The whole name without tag and digest ("docker.io/library/nginx"), and with them; the caller frees. */
char *image_reference_repository(const struct image_reference *r);
char *image_reference_canonical(const struct image_reference *r);

DEFINE_CLEANUP(struct image_reference *, image_reference_free);
#define _cleanup_image_reference_ _cleanup_(cleanup_image_reference_free)
