// policy/deferred_list.cc - see deferred_list.h.
#include "policy/deferred_list.h"

#include <utility>
#include <vector>

#include "core/json_text.h"
#include "policy/carried_lines.h"
#include "policy/deferred_reference.h"
#include "policy/xml_writer.h"
#include "sip/address.h"
#include "sip/privacy.h"
#include "sip/reason_headers.h"

namespace parley::policy {

using sip::HeaderId;

namespace {

constexpr std::string_view anonymous_uri = "sip:anonymous@anonymous.invalid";

void put_entry(const DeferredEntry& entry, const DeferredListStyle& style, std::string& out) {
  XmlWriter xml(out, true);
  xml.open("entry").attribute("id", entry.id);
  if (!entry.message_id.empty()) xml.leaf("message-id", entry.message_id);
  xml.open("from");
  if (!entry.from_name.empty()) xml.attribute("display-name", entry.from_name);
  xml.text(entry.from).close();
  xml.leaf("to", entry.to);
  if (!entry.subject.empty()) xml.leaf("subject", entry.subject);
  xml.leaf("date", xml_date_time(entry.date_ms));
  xml.leaf("expiry", xml_date_time(entry.expires_ms));
  xml.leaf("size", std::to_string(entry.size));
  if (!entry.content_type.empty()) xml.leaf("content-type", entry.content_type);
  xml.leaf("mode", to_string(entry.mode));
  xml.leaf("status", to_string(entry.state));
  xml.leaf("reference", deferred_reference(entry.id, style.domain));
}

}  // namespace

std::string_view to_string(DeferredMode mode) { return mode == DeferredMode::large ? "large" : "pager"; }

std::string_view to_string(core::DeferredState state) {
  switch (state) {
    case core::DeferredState::fresh: return "new";
    case core::DeferredState::told: return "notified";
    case core::DeferredState::expiring:
    case core::DeferredState::told_expiring: return "expiring";
  }
  return "new";
}

DeferredMode deferred_mode(const core::DeferredRow& row) {
  return row.large_bytes != 0 ? DeferredMode::large : DeferredMode::pager;
}

DeferredEntry deferred_entry(const core::DeferredRow& row) {
  DeferredEntry entry{.id = row.id,
                      .message_id = row.message_id,
                      .to = row.aor,
                      .date_ms = row.arrived_ms,
                      .expires_ms = row.expires_ms,
                      .size = row.size,
                      .mode = deferred_mode(row),
                      .state = row.state};
  std::vector<sip::HeaderText> lines;
  add_carried_lines(row.head, lines);
  bool hidden = false;
  for (const sip::HeaderText& line : lines) {
    switch (line.id) {
      case HeaderId::from: {
        sip::Address from;
        if (!sip::parse_address(line.value, from)) break;
        entry.from = from.uri;
        entry.from_name = plain_name(from.display);
        break;
      }
      case HeaderId::subject: entry.subject = line.value; break;
      case HeaderId::content_type: entry.content_type = line.value; break;
      case HeaderId::date:
        if (std::int64_t seconds = 0; sip::parse_date(line.value, seconds)) entry.date_ms = seconds * 1000;
        break;
      case HeaderId::privacy: {
        sip::Privacy privacy;
        (void)sip::parse_privacy(line.value, privacy);
        hidden = hidden || (!privacy.none && (privacy.id || privacy.user));
        break;
      }
      default: break;
    }
  }
  if (hidden || entry.from.empty()) {  // OMA-DEF-15
    entry.from = anonymous_uri;
    entry.from_name.clear();
  }
  return entry;
}

DeferredList put_deferred_list(std::span<const DeferredEntry> entries, const DeferredListStyle& style,
                               core::Digest& digest) {
  DeferredList list;
  std::string all;
  std::size_t shown = 0;  // bytes
  for (const DeferredEntry& entry : entries) {
    put_entry(entry, style, all);
    if (list.left_out == 0 && (style.bytes_max == 0 || all.size() <= style.bytes_max)) {
      shown = all.size();
    } else {
      ++list.left_out;
    }
  }
  list.etag = std::string(digest.hash(core::DigestAlgorithm::sha256, all).view().substr(0, list_etag_letters));
  XmlWriter xml(list.text);
  xml.open("deferred-list").attribute("xmlns", style.space);
  if (list.left_out != 0) xml.attribute("left-out", list.left_out);
  if (shown != 0) xml.raw(std::string_view(all).substr(0, shown));
  xml.close();
  return list;
}

std::string put_deferred_list_change(const DeferredListChange& change) {
  return put_list_change({.root = change.root,
                          .auid = deferred_list_auid,
                          .document = deferred_list_document,
                          .aor = change.aor,
                          .etag = change.etag,
                          .before = change.before});
}

std::string deferred_list_json(std::span<const DeferredEntry> entries) {
  std::string json = "{\"messages\":[";
  bool first = true;
  for (const DeferredEntry& entry : entries) {
    if (!std::exchange(first, false)) json += ',';
    json.append("{\"id\":\"").append(std::to_string(entry.id)).append("\"");
    core::put_json_field(json, "from", entry.from);
    core::put_json_field(json, "subject", entry.subject);
    core::put_json_field(json, "date", xml_date_time(entry.date_ms));
    core::put_json_field(json, "expiry", xml_date_time(entry.expires_ms));
    core::put_json_field(json, "size", entry.size);
    core::put_json_field(json, "type", entry.content_type);
    core::put_json_field(json, "mode", to_string(entry.mode));
    core::put_json_field(json, "status", to_string(entry.state));
    core::put_json_field(json, "message_id", entry.message_id);
    json += '}';
  }
  return json += "]}";
}

}  // namespace parley::policy
