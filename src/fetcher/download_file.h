/* Copies a package from a repository in a directory. */
#pragma once

#include "fetcher/download.h"

void download_start_file(struct download *d);
