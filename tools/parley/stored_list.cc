// tools/parley/stored_list.cc - see stored_list.h.
#include "tools/parley/stored_list.h"

#include <algorithm>
#include <charconv>

#include "policy/deferred_list.h"
#include "policy/history_list.h"
#include "policy/xcap_uri.h"
#include "policy/xml_reader.h"

namespace parley::client {

namespace {

// A list of --history-list-bytes-max, which is 1 MiB unless an operator says more.
constexpr policy::XmlLimits list_limits{.bytes_max = 16 << 20, .elements_max = 1 << 20};

std::uint64_t number_of(std::string_view text) {
  std::uint64_t value = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string text_of(policy::XmlElement of, std::string_view name) { return std::string(of.child(name).text()); }

StoredEntry deferred_entry(policy::XmlElement element) {
  StoredEntry entry;
  entry.reference = text_of(element, "reference");
  entry.mode = text_of(element, "mode");
  entry.from = text_of(element, "from");
  entry.users.push_back(text_of(element, "to"));
  return entry;
}

void add_uris(policy::XmlElement list, std::vector<std::string>& users) {
  for (const policy::XmlElement each : list.children()) {
    if (each.name() == "entry") users.push_back(text_of(each, "uri"));
  }
}

StoredEntry history_entry(policy::XmlElement element) {
  StoredEntry entry;
  entry.reference = text_of(element, "history-reference");
  if (const policy::XmlElement pager = element.child("pager")) {
    entry.mode = "pager-large";
    entry.from = text_of(pager, "from");
    entry.users.push_back(text_of(pager, "to"));
    const policy::XmlElement list = pager.child("recipient-list");
    if (list) add_uris(list, entry.users);
    entry.group = text_of(list, "group-uri");
    return entry;
  }
  entry.mode = "session";
  const policy::XmlElement list = element.child("conference").child("conf-list");
  if (list) add_uris(list, entry.users);
  entry.group = text_of(list, "group-uri");
  if (!entry.users.empty()) {
    entry.from = entry.users.front();
    entry.users.erase(entry.users.begin());
  }
  return entry;
}

}  // namespace

std::string_view to_string(Stored what) { return what == Stored::deferred ? "deferred" : "history"; }

std::string_view list_type(Stored what) {
  return what == Stored::deferred ? policy::deferred_list_type : policy::history_list_type;
}

std::optional<StoredList> read_stored_list(Stored what, std::string_view bytes) {
  policy::XmlDocument document;
  const bool deferred = what == Stored::deferred;
  if (document.parse(bytes, list_limits) || document.root().name() != (deferred ? "deferred-list" : "history-list")) {
    return std::nullopt;
  }
  StoredList list;
  list.left_out = number_of(document.root().attribute("left-out").value_or("0"));
  for (const policy::XmlElement element : document.root().children()) {
    if (element.name() != (deferred ? "entry" : "history")) continue;
    StoredEntry entry = deferred ? deferred_entry(element) : history_entry(element);
    entry.id = element.attribute("id").value_or("");
    if (!is_stored_id(entry.id)) continue;  // it goes to terminals, into names of files and into XPath
    entry.subject = text_of(element, "subject");
    entry.date = text_of(element, "date");
    entry.expiry = text_of(element, "expiry");
    entry.size = number_of(element.child("size").text());
    list.entries.push_back(std::move(entry));
  }
  return list;
}

bool is_stored_id(std::string_view id) {
  constexpr std::size_t bytes_max = 64;
  return !id.empty() && id.size() <= bytes_max && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

std::string stored_path(Stored what, std::string_view aor, std::string_view id) {
  const bool deferred = what == Stored::deferred;
  std::string path = "/";
  path.append(deferred ? policy::deferred_list_auid : policy::history_auid).append("/users/");
  policy::put_percent_encoded(aor, path);
  path.append("/").append(deferred ? policy::deferred_list_document : policy::history_document).append("/~~/");
  path.append(deferred ? "deferred-list/" : "history-list/");
  policy::put_percent_encoded(std::string(deferred ? "entry" : "history").append("[@id=\"").append(id).append("\"]"),
                              path);
  return path;
}

}  // namespace parley::client
