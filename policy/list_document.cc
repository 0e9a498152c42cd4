// policy/list_document.cc - see list_document.h.
#include "policy/list_document.h"

#include "policy/xml_writer.h"

namespace parley::policy {
namespace {

constexpr std::string_view diff_space = "urn:ietf:params:xml:ns:xcap-diff";
constexpr std::size_t name_bytes_max = 256;

}  // namespace

std::string plain_name(std::string_view display) {
  std::string name;
  if (display.size() < 2 || display.front() != '"' || display.back() != '"') {
    name = display;
  } else {
    for (std::size_t i = 1; i + 1 < display.size(); ++i) {
      if (display[i] == '\\' && i + 2 < display.size()) ++i;
      name += display[i];
    }
  }
  if (name.size() <= name_bytes_max) return name;
  std::size_t end = name_bytes_max;
  while (end != 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;
  name.resize(end);
  return name;
}

std::string put_list_change(const ListChange& change) {
  std::string out;
  XmlWriter xml(out);
  xml.open("xcap-diff").attribute("xmlns", diff_space).attribute("xcap-root", change.root);
  xml.open("document");
  if (!change.before.empty() && change.before != change.etag) xml.attribute("previous-etag", change.before);
  if (!change.etag.empty()) xml.attribute("new-etag", change.etag);
  std::string path(change.auid);
  path.append("/users/");
  for (const char c : change.aor) {  // RFC 4825 section 6.2: a user's name is one segment of it
    if (c == '/') {
      path += "%2F";
    } else if (c == '?') {
      path += "%3F";
    } else {
      path += c;
    }
  }
  path.append("/").append(change.document);
  xml.attribute("sel", path).close().close();
  return out;
}

}  // namespace parley::policy
