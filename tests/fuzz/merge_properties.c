/* Fuzzes merges of properties into properties: see merge.h. */
#include "merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    merge_input(CONFIG_PROPERTIES, data, size);
    return 0;
}
