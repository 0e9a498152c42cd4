// policy/resource_list.cc - see resource_list.h.
#include "policy/resource_list.h"

#include <algorithm>
#include <array>
#include <map>

#include "core/text.h"
#include "policy/user_key.h"
#include "policy/xml_writer.h"
#include "sip/identity.h"
#include "sip/uri.h"

namespace parley::policy {

namespace {

// R5364-1: all lower case; RFC 5366's own example writes copyControl, so case does not count when it is read.
constexpr std::string_view copy_space = "urn:ietf:params:xml:ns:copycontrol";

std::string_view to_string(CopyControl copy) {
  switch (copy) {
    case CopyControl::to: return "to";
    case CopyControl::cc: return "cc";
    case CopyControl::bcc: return "bcc";
  }
  return "";
}

// Qualified as RFC 5364 has it, or bare as some clients write it.
std::optional<std::string_view> copy_attribute(XmlElement element, std::string_view name) {
  for (std::size_t n = 0; n < element.attribute_count(); ++n) {
    const XmlElement::Attribute attribute = element.attribute_at(n);
    if (attribute.name == name && (attribute.space.empty() || core::equal_ignore_case(attribute.space, copy_space))) {
      return attribute.value;
    }
  }
  return std::nullopt;
}

// A value that is none counts as absent, which tells others least.
std::optional<CopyControl> read_copy(XmlElement element) {
  const auto value = copy_attribute(element, "copyControl");
  for (const CopyControl copy : {CopyControl::to, CopyControl::cc, CopyControl::bcc}) {
    if (value && core::equal_ignore_case(*value, to_string(copy))) return copy;
  }
  return std::nullopt;
}

class ListReader {
 public:
  explicit ListReader(ResourceList& out) : out_(out) {}

  XmlError read_list(XmlElement list) {
    for (const XmlElement element : list.children()) {
      if (element.space() != lists_space) continue;
      XmlError error;
      if (element.name() == "list") error = read_list(element);
      if (element.name() == "entry") error = read_entry(element);
      if (element.name() == "external") error = read_reference(element, "anchor");
      if (element.name() == "entry-ref") error = read_reference(element, "ref");
      if (error) return error;
    }
    return {};
  }

 private:
  bool full() {
    if (out_.entries.size() + out_.references.size() < list_entries_max) return false;
    ++out_.left_out;
    return true;
  }

  XmlError read_entry(XmlElement element) {
    const auto uri = element.attribute("uri");
    if (!uri || uri->empty()) return {element.line(), "<entry> has no uri"};
    if (full()) return {};
    ListEntry entry;
    entry.uri = *uri;
    entry.display_name = element.child(lists_space, "display-name").text();
    entry.copy = read_copy(element);
    if (const auto text = copy_attribute(element, "anonymize")) {
      const auto value = xml_boolean(*text);
      if (!value) return {element.line(), "<entry> has an anonymize that is neither true nor false"};
      entry.anonymize = *value;
    }
    if (const auto text = copy_attribute(element, "count")) {
      const auto value = xml_number(*text);
      if (!value) return {element.line(), "<entry> has a count that is no number"};
      entry.count = *value;
    }
    out_.entries.push_back(std::move(entry));
    return {};
  }

  XmlError read_reference(XmlElement element, std::string_view name) {
    if (!full()) out_.references.emplace_back(element.attribute(name).value_or(""));
    return {};
  }

  ResourceList& out_;
};

// What a recipient's URI has behind '?' is for his own request (R5365-1).
std::string without_headers(const std::string& uri) { return uri.substr(0, uri.find('?')); }

bool shown(const Recipient& recipient) { return recipient.copy_said && recipient.copy != CopyControl::bcc; }

}  // namespace

XmlError parse_resource_list(std::string_view bytes, ResourceList& out, const XmlLimits& limits) {
  out = {};
  XmlDocument document;
  if (XmlError error = document.parse(bytes, limits)) return error;
  const XmlElement root = document.root();
  if (!root.is(lists_space, "resource-lists")) return {root.line(), "is no resource-lists document"};
  ResourceList read;
  // Entries right under the root are no list, but there is only one thing they can mean.
  if (XmlError error = ListReader(read).read_list(root)) return error;
  out = std::move(read);
  return {};
}

Recipients recipients_of(std::span<const ResourceList> lists, const ListRules& rules) {
  Recipients out;
  std::map<std::string, std::vector<std::size_t>, std::less<>> by_key;
  std::size_t seen = 0;
  for (const ResourceList& list : lists) {
    out.left_out += list.left_out;
    for (const std::string& reference : list.references) out.failed.push_back(reference);
    for (const ListEntry& entry : list.entries) {
      if (++seen > list_entries_max) {
        ++out.left_out;
        continue;
      }
      Recipient recipient{.uri = entry.uri,
                          .key = user_key(entry.uri),
                          .display_name = entry.display_name,
                          .copy = entry.copy.value_or(rules.missing),
                          .copy_said = entry.copy.has_value(),
                          .anonymize = entry.anonymize};
      sip::Uri uri;
      if (recipient.key.empty() || recipient.uri.size() > recipient_uri_bytes_max || !sip::parse_uri(recipient.uri, uri)) {
        out.failed.push_back(entry.uri);
        continue;
      }
      // OMA-GRP-6: the same URI once, by RFC 3261 section 19.1.4; equal URIs have equal keys.
      auto& same_key = by_key[recipient.key];
      const auto same = std::find_if(same_key.begin(), same_key.end(), [&](std::size_t n) {
        sip::Uri other;
        return sip::parse_uri(out.list[n].uri, other) && sip::same_uri(uri, other);
      });
      if (same == same_key.end()) {
        same_key.push_back(out.list.size());
        out.list.push_back(std::move(recipient));
        continue;
      }
      ++out.duplicates;
      out.list[*same].also(recipient);
    }
  }
  return out;
}

void Recipient::also(const Recipient& again) {
  if (again.copy_said && (!copy_said || again.copy < copy)) copy = again.copy;
  copy_said |= again.copy_said;
  anonymize |= again.anonymize;
  if (display_name.empty()) display_name = again.display_name;
}

void Recipients::join(const NumberKeys& numbers) {
  std::multimap<std::string_view, const Recipient*> by_address;
  for (const Recipient& recipient : list) {
    const auto number = numbers.find(recipient.key);
    if (number != numbers.end()) by_address.emplace(number->second, &recipient);
  }
  if (by_address.empty()) return;
  duplicates += by_address.size();
  for (Recipient& recipient : list) {
    const auto [first, last] = by_address.equal_range(recipient.key);
    for (auto number = first; number != last; ++number) recipient.also(*number->second);
  }
  std::erase_if(list, [&numbers](const Recipient& recipient) { return numbers.contains(recipient.key); });
}

std::size_t Recipients::count_without(std::span<const std::string> keys) const {
  return static_cast<std::size_t>(std::count_if(list.begin(), list.end(), [keys](const Recipient& r) {
    return std::find(keys.begin(), keys.end(), r.key) == keys.end();
  }));
}

bool Recipients::remove(std::string_view key) {
  return std::erase_if(list, [key](const Recipient& r) { return r.key == key; }) != 0;
}

bool Recipients::add(std::string_view uri, CopyControl copy) {
  const std::string key = user_key(uri);
  if (key.empty() || uri.size() > recipient_uri_bytes_max) {
    failed.emplace_back(uri);
    return true;
  }
  sip::Uri ours;
  (void)sip::parse_uri(uri, ours);
  for (const Recipient& recipient : list) {
    sip::Uri other;
    if (recipient.key == key && sip::parse_uri(recipient.uri, other) && sip::same_uri(ours, other)) return false;
  }
  list.push_back(
      {.uri = std::string(uri), .key = key, .display_name = {}, .copy = copy, .copy_said = true, .anonymize = false});
  return true;
}

std::vector<ListEntry> recipient_history(const Recipients& recipients, std::string_view for_key, bool tell_bcc) {
  std::vector<ListEntry> entries;
  for (const CopyControl copy : {CopyControl::to, CopyControl::cc}) {
    std::uint32_t anonymous = 0;
    for (const Recipient& recipient : recipients.list) {
      if (!shown(recipient) || recipient.copy != copy) continue;
      if (recipient.anonymize) {
        ++anonymous;
      } else {
        entries.push_back(
            {.uri = without_headers(recipient.uri), .display_name = recipient.display_name, .copy = copy});
      }
    }
    if (anonymous > 0) {
      entries.push_back({.uri = std::string(sip::anonymous_uri),
                         .display_name = {},
                         .copy = copy,
                         .anonymize = false,
                         .count = anonymous});
    }
  }
  if (!tell_bcc || for_key.empty()) return entries;
  for (const Recipient& recipient : recipients.list) {
    if (recipient.key == for_key && recipient.copy_said && recipient.copy == CopyControl::bcc) {
      entries.push_back(
          {.uri = without_headers(recipient.uri), .display_name = recipient.display_name, .copy = CopyControl::bcc});
    }
  }
  return entries;
}

void put_resource_list(std::span<const ListEntry> entries, std::string& out) {
  XmlWriter xml(out);
  xml.open("resource-lists").attribute("xmlns", lists_space).attribute("xmlns:cp", copy_space).open("list");
  for (const ListEntry& entry : entries) {
    xml.open("entry").attribute("uri", entry.uri);
    if (entry.copy) xml.attribute("cp:copyControl", to_string(*entry.copy));
    if (entry.anonymize) xml.boolean("cp:anonymize", true);
    if (entry.count != 1 || entry.uri == sip::anonymous_uri) xml.attribute("cp:count", std::uint64_t{entry.count});
    if (!entry.display_name.empty()) xml.leaf("display-name", entry.display_name);
    xml.close();
  }
}

}  // namespace parley::policy
