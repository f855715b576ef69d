/* Implements toml.h with toml++. No exception leaves this file. */
#include "lib/manifest/toml.h"

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>

/* toml++ asserts conditions that an invalid document violates ("[ = 1"), before the code that reports
 * them: without assertions such a document results in a message. (With NDEBUG the compiler would assume
 * that the conditions hold.) */
#undef NDEBUG
#define TOML_ASSERT(expr) static_cast<void>(0)
#include <toml++/toml.h>

struct toml_lines {
    std::map<std::string, unsigned> lines;
};

namespace
{
/* The reason why a value has no JSON form: thrown only within this file. */
struct refusal {
    unsigned line;
    std::string pointer;
    const char *text;
};

class converter
{
  public:
    explicit converter(toml_lines &found) : lines_(found.lines)
    {
    }

    json_t *convert(const toml::node &node, const std::string &pointer)
    {
        /* The caller has stored the line of a key; an element of an array has its own line. */
        unsigned line = lines_.emplace(pointer, node.source().begin.line).first->second;
        if (const auto *table = node.as_table())
            return convert_table(*table, pointer);
        if (const auto *array = node.as_array())
            return convert_array(*array, pointer);
        if (const auto *string = node.as_string()) {
            const std::string &text = string->get();
            if (text.find('\0') != std::string::npos)
                throw refusal{line, pointer, "the string contains a zero byte"};
            return json_stringn(text.data(), text.size());
        }
        if (const auto *integer = node.as_integer())
            return json_integer(integer->get());
        if (const auto *boolean = node.as_boolean())
            return json_boolean(boolean->get());
        json_t *real = node.is_floating_point() ? json_real(node.as_floating_point()->get()) : nullptr;
        if (!real)
            throw refusal{line, pointer, "dates, times, infinity and NaN are not used in manifests"};
        return real;
    }

  private:
    json_t *convert_table(const toml::table &table, const std::string &pointer)
    {
        json_t *object = json_object();
        for (const auto &[key, value] : table) {
            std::string_view name = key.str();
            std::string below = pointer + "/" + std::string(name);
            lines_[below] = key.source().begin.line;
            json_t *json = nullptr;
            try {
                if (name.find('\0') != std::string_view::npos)
                    throw refusal{lines_[below], below, "the key contains a zero byte"};
                json = convert(value, below);
            } catch (...) {
                json_decref(object);
                throw;
            }
            json_object_set_new(object, std::string(name).c_str(), json);
        }
        return object;
    }

    json_t *convert_array(const toml::array &array, const std::string &pointer)
    {
        json_t *list = json_array();
        for (size_t i = 0; i < array.size(); i++) {
            json_t *json = nullptr;
            try {
                json = convert(array[i], pointer + "/" + std::to_string(i));
            } catch (...) {
                json_decref(list);
                throw;
            }
            json_array_append_new(list, json);
        }
        return list;
    }

    std::map<std::string, unsigned> &lines_;
};
} // namespace

static int mistake(char **ret, const std::string &text)
{
    *ret = strdup(text.c_str());
    return -EINVAL;
}

int toml_parse(const char *text, size_t size, json_t **ret, struct toml_lines **ret_lines, char **ret_mistake)
{
    try {
        toml::table table = toml::parse(std::string_view(text, size));
        auto lines = std::make_unique<toml_lines>();
        lines->lines[""] = 1;
        *ret = converter(*lines).convert(table, "");
        *ret_lines = lines.release();
        return 0;
    } catch (const toml::parse_error &error) {
        const auto &at = error.source().begin;
        return mistake(ret_mistake,
                       std::to_string(at.line) + ":" + std::to_string(at.column) + ": " + error.what());
    } catch (const refusal &why) {
        return mistake(ret_mistake, std::to_string(why.line) + ": " + why.pointer + ": " + why.text);
    } catch (const std::exception &error) {
        return mistake(ret_mistake, std::string("1: ") + error.what());
    }
}

unsigned toml_line(const struct toml_lines *lines, const char *pointer)
{
    std::string_view place(pointer);
    for (;;) {
        auto found = lines->lines.find(std::string(place));
        if (found != lines->lines.end())
            return found->second;
        size_t slash = place.rfind('/');
        if (slash == std::string_view::npos)
            return 1;
        place = place.substr(0, slash);
    }
}

struct toml_lines *toml_lines_free(struct toml_lines *lines)
{
    delete lines;
    return nullptr;
}
