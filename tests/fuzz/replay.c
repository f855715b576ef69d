/* Runs a fuzz target once with each file that the arguments name, as libFuzzer does with its seeds before it
 * mutates them. */
#include "fuzz.h"

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        must(file);
        must(fseek(file, 0, SEEK_END) == 0);
        long size = ftell(file);
        must(size >= 0);
        rewind(file);
        uint8_t *data = malloc((size_t)size + 1);
        must(data && fread(data, 1, (size_t)size, file) == (size_t)size);
        fclose(file);
        (void)LLVMFuzzerTestOneInput(data, (size_t)size);
        free(data);
    }
    return 0;
}
