// policy/history_list.cc - see history_list.h.
#include "policy/history_list.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/json_text.h"
#include "policy/history_reference.h"
#include "policy/user_key.h"
#include "policy/xml_writer.h"
#include "sip/address.h"
#include "sip/identity.h"

namespace parley::policy {
namespace {

struct Name {
  std::string uri;
  std::string display;
};

Name name_of(std::string_view value) {
  sip::Address address;
  if (!sip::parse_address(value, address)) return {std::string(value), {}};
  return {std::string(address.uri), plain_name(address.display)};
}

void put_name(XmlWriter& xml, std::string_view element, const Name& name) {
  xml.open(element);
  if (!name.display.empty()) xml.attribute("display-name", name.display);
  xml.text(name.uri).close();
}

void put_entry(XmlWriter& xml, const Name& name) {
  xml.open("entry");
  if (!name.display.empty()) xml.leaf("display-name", name.display);
  xml.leaf("uri", name.uri).close();
}

std::vector<Name> people_of(const core::HistoryRecordRow& row) {
  std::vector<Name> names;
  std::string_view rest = row.people;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!line.empty()) names.push_back(name_of(line));
  }
  return names;
}

void put_group(XmlWriter& xml, const core::HistoryRecordRow& row, const Name& to) {
  if (row.group.empty()) return;
  xml.leaf("group-uri", row.group);
  if (!to.display.empty() && user_key(to.uri) == user_key(row.group)) xml.leaf("group-display-name", to.display);
}

// One message, or one that was large.
void put_pager(XmlWriter& xml, const core::HistoryRecordRow& row, const Name& from, const Name& to) {
  xml.open("pager").leaf("time-stamp", xml_date_time(row.began_ms));
  put_name(xml, "from", from);
  put_name(xml, "to", to);
  const std::vector<Name> people = people_of(row);
  if (!people.empty() || !row.group.empty()) {
    xml.open("recipient-list");
    for (const Name& name : people) put_entry(xml, name);
    put_group(xml, row, to);
    xml.close();
  }
  // Whoever was proven to have sent it; who wants to be anonymous is not named (OMA-HIS-7).
  const std::string_view sender = row.begun_by_owner ? std::string_view(row.aor) : std::string_view(from.uri);
  if (sender != sip::anonymous_uri) xml.leaf("auth-id", sender);
  xml.close();
}

void put_conference(XmlWriter& xml, const core::HistoryRecordRow& row, const Name& from, const Name& to) {
  xml.open("conference").leaf("time-start", xml_date_time(row.began_ms));
  if (row.ended_ms != 0) xml.leaf("time-end", xml_date_time(row.ended_ms));
  xml.leaf("recording-name", stored_user(history_user_prefix, row.id));
  xml.open("conf-list");
  std::vector<std::string> there;
  const auto put = [&](const Name& name) {
    std::string key = user_key(name.uri);
    if (key.empty()) key = name.uri;
    if (name.uri.empty() || std::find(there.begin(), there.end(), key) != there.end()) return;
    there.push_back(std::move(key));
    put_entry(xml, name);
  };
  put(from);
  if (row.group.empty()) put(to);
  for (const Name& name : people_of(row)) put(name);
  put_group(xml, row, to);
  xml.close().close();
}

std::string xml_entry(const core::HistoryRecordRow& row, std::string_view domain) {
  std::string out;
  XmlWriter xml(out, true);
  const Name from = name_of(row.from);
  const Name to = name_of(row.to);
  xml.open("history").attribute("id", row.id);
  xml.leaf("size", std::to_string(row.bytes));
  xml.leaf("expiry", xml_date_time(row.expires_ms));
  if (!row.subject.empty()) xml.leaf("subject", row.subject);
  xml.leaf("date", xml_date_time(row.began_ms));
  xml.leaf("history-reference", history_reference(row.id, domain));
  if (row.kind == core::HistoryKind::session) {
    put_conference(xml, row, from, to);
  } else {
    put_pager(xml, row, from, to);
  }
  xml.close();
  return out;
}

std::string json_entry(const core::HistoryRecordRow& row) {
  std::string json = "{\"id\":\"" + std::to_string(row.id) + "\"";
  core::put_json_field(json, "mode", row.kind == core::HistoryKind::session ? "session" : "pager-large");
  core::put_json_field(json, "from", name_of(row.from).uri);
  core::put_json_field(json, "to", name_of(row.to).uri);
  core::put_json_field(json, "group", row.group);
  core::put_json_field(json, "subject", row.subject);
  core::put_json_field(json, "began", xml_date_time(row.began_ms));
  core::put_json_field(json, "ended", row.ended_ms == 0 ? std::string() : xml_date_time(row.ended_ms));
  core::put_json_field(json, "expiry", xml_date_time(row.expires_ms));
  core::put_json_field(json, "messages", std::uint64_t{row.messages});
  core::put_json_field(json, "bytes", row.bytes);
  return json += '}';
}

}  // namespace

void HistoryList::add(const core::HistoryRecordRow& row, core::Digest& digest) {
  std::string entry = form_ == Form::document ? xml_entry(row, domain_) : json_entry(row);
  etag_ = digest.hash(core::DigestAlgorithm::sha256, etag_ + entry).view().substr(0, list_etag_letters);
  ++records_;
  bytes_ += entry.size();
  entries_.push_back(std::move(entry));
  while (bytes_max_ != 0 && bytes_ > bytes_max_) {
    bytes_ -= entries_.front().size();
    entries_.pop_front();
  }
}

ListDocument HistoryList::finish() const {
  ListDocument list;
  list.etag = etag_;
  list.left_out = records_ - entries_.size();
  if (form_ == Form::entries) {
    list.text = "{\"records\":[";
    for (const std::string& entry : entries_) {
      if (&entry != &entries_.front()) list.text += ',';
      list.text += entry;
    }
    list.text.append("],\"left_out\":").append(std::to_string(list.left_out)).append("}");
    return list;
  }
  XmlWriter xml(list.text);
  xml.open("history-list").attribute("xmlns", history_list_space);
  if (list.left_out != 0) xml.attribute("left-out", list.left_out);
  for (const std::string& entry : entries_) xml.raw(entry);
  xml.close();
  return list;
}

}  // namespace parley::policy
