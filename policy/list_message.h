// policy/list_message.h - a pager message to several: the lists of its body, and the message that each of them gets
// (RFC 5365, RFC 5438 section 8; OMA-PAG-2, OMA-PAG-3, OMA-DR-5, R5365-1).
//
// Pure: values from one request, texts for others. Exploder (exploder.h) sends them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/invite_body.h"
#include "policy/resource_list.h"
#include "sip/flow.h"

namespace parley::policy {

// Views into the request.
struct ListMessage {
  std::uint16_t refusal = 0;            // 400: its body can not be read. 415: it is packed
  std::vector<std::string_view> lists;  // documents that say who gets it
  std::vector<BodyPart> parts;          // what they get
  bool several = false;                 // it came as a multipart
};
// `with_lists` false: whatever it holds is for the others.
[[nodiscard]] ListMessage read_list_message(const sip::Received& request, bool with_lists);

struct ListCopy {
  std::string type;  // value of Content-Type
  std::string body;
  // Of what is message/cpim: its name, and what it asks for under that: bits of Notice.
  std::uint32_t notices = 0;
  std::string message_id{};
};
// `to`: the list's own URI, which a request for notifications is to name. `history`: who else is told of; empty: nobody
// is. `boundary` is used where several parts are to be put together.
[[nodiscard]] ListCopy copy_of(const ListMessage& message, std::string_view to, std::span<const ListEntry> history,
                               std::string_view boundary);

// Who may have it sent, as an ordered list of checks.
struct ListMessageFacts {
  std::uint16_t body_status = 0;  // of ListMessage
  bool list_required = false;     // Require: recipient-list-message
  bool of_group = false;
  bool list_there = true;
  bool list_wrong = false;
  bool list_useless = false;
  bool list_too_long = false;
  bool content = true;
  bool understood = true;
  bool member = true;
  bool anonymity_disallowed = false;
  bool anybody = true;  // besides himself
};
struct ListMessageRefusal {
  std::string_view id;
  bool (*holds)(const ListMessageFacts&);
  std::uint16_t status;
  std::string_view warning;  // text of a Warning 399; a number follows where it ends in a blank; empty: none
};
// Null: it is taken.
[[nodiscard]] const ListMessageRefusal* first_refusal(const ListMessageFacts& facts);

}  // namespace parley::policy
