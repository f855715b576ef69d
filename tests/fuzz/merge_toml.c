/* Fuzzes merges of toml into toml: see merge.h. */
#include "merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    merge_input(CONFIG_TOML, data, size);
    return 0;
}
