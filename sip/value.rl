// sip/value.rl - where items and their heads end (RFC 3261 section 25.1).
#include "sip/value.h"

#include <cstddef>

namespace parley::sip {
namespace {

using Byte = unsigned char;

%%{
  machine sip_item;
  alphtype unsigned char;

  action end { end = p; }

  # Any text; what ends it is looked for outside quotes and brackets only. Bytes that may stand nowhere are left for
  # whoever reads the item.
  quoted = '"' ([^"\\] | "\\" any)* '"';
  # RFC 3261 section 25.1: a '<' opens a bracket only where a URI follows; one inside a quoted string is data.
  bracketed = "<" [^>]* ">";
  item = (quoted | bracketed | [^",<])*;
  head = (quoted | bracketed | [^";<])*;
  comma_item := item ("," @end @{ fbreak; })?;
  semi_head := head (";" @end @{ fbreak; })?;
  main := item;
  write data noerror;
}%%

// How far the text reaches up to the first separator of the machine's start state; its size when there is none, more
// when a quote or bracket never ends.
std::size_t item_end(std::string_view text, int start) {
  const Byte* p = reinterpret_cast<const Byte*>(text.data());
  const Byte* const begin = p;
  const Byte* const pe = p + text.size();
  const Byte* end = nullptr;
  int cs = start;
  %% write exec;
  if (end != nullptr) return static_cast<std::size_t>(end - begin);
  return cs >= sip_item_first_final ? text.size() : text.size() + 1;
}

}  // namespace

bool Items::next(std::string_view& item) {
  while (ok_ && !rest_.empty()) {
    const std::size_t end = item_end(rest_, sip_item_en_comma_item);
    if (end > rest_.size()) {
      ok_ = false;
      return false;
    }
    item = trim(rest_.substr(0, end));
    rest_.remove_prefix(end == rest_.size() ? end : end + 1);
    if (!item.empty()) return true;
  }
  return false;
}

Item split_item(std::string_view item) {
  const std::size_t end = item_end(item, sip_item_en_semi_head);
  if (end > item.size()) return {.head = item, .parameters = {}};
  return {.head = trim(item.substr(0, end)), .parameters = item.substr(end)};
}

}  // namespace parley::sip
