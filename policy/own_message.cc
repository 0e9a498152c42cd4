// policy/own_message.cc - see own_message.h.
#include "policy/own_message.h"

#include "core/id_text.h"
#include "policy/carried_lines.h"

namespace parley::policy {

using sip::HeaderId;

void OwnMessage::begin(const Opening& opening) {
  char tag[core::letters64_chars];
  core::letters_encode64(opening.from_tag, tag);
  tag_.assign(";tag=").append(tag, sizeof tag);
  uri_ = opening.uri;
  to_.assign("<").append(uri_).append(">");
  cseq_ = std::to_string(opening.cseq) + " MESSAGE";
  lines_.clear();
  add(HeaderId::max_forwards, "70");
  if (!opening.from.empty()) {
    from_.assign(opening.from).append(tag_);
    add(HeaderId::from, from_);
  }
  add(HeaderId::to, to_);
  add(HeaderId::call_id, opening.call_id);
  add(HeaderId::cseq, cseq_);
  add(HeaderId::user_agent, opening.user_agent);
  add(HeaderId::p_asserted_identity, opening.asserted);
}

void OwnMessage::add_stored(std::string_view lines) {
  const std::size_t first = lines_.size();
  add_carried_lines(lines, lines_);
  for (std::size_t i = first; i < lines_.size(); ++i) {
    if (lines_[i].id != HeaderId::from) continue;
    from_.assign(lines_[i].value).append(tag_);
    lines_[i].value = from_;
    return;
  }
}

void OwnMessage::put(std::string_view body, Errand& errand) const {
  sip::put_request({.method = "MESSAGE", .uri = uri_, .headers = lines_}, body, errand.text);
  errand.method = sip::Method::message;
  errand.in_dialog = false;
  errand.from_trusted = true;
}

}  // namespace parley::policy
