// tools/parley-load/pager_text.h - bodies of pager messages, written and read: plain, in message/cpim (RFC 3862), with a list of
// recipients (RFC 5365, RFC 5364). A text begins with a stamp that says which message it is of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tools/parley-load/sip_text.h"

namespace parley::load {

// "p", the Call-ID of its request, 8 hex digits of its number among what its sender sent, ".".
inline constexpr size_t kPagerStampBytes = 1 + kCallIdDigits + 8 + 1;
inline constexpr size_t kListEntryBytes = 24;  // of one recipient, but for his user and domain

struct PagerStamp {
  SipId id;
  uint32_t number = 0;
};
void put_stamp(std::string& out, std::string_view run, const PagerStamp& stamp);
// Off the front of `text`; false: it has none of this run.
bool take_stamp(std::string_view& text, std::string_view run, PagerStamp& stamp);

// What stands before a text: the head of its message/cpim. `message_id` is unique.
void put_cpim_head(std::string& out, std::string_view from, std::string_view to, std::string_view date_time,
                   std::string_view message_id);

// A multipart/mixed of a list and what it is to get: what stands before that, and behind.
inline constexpr std::string_view kMixedType = "multipart/mixed;boundary=parley-load";
inline constexpr std::string_view kMixedEnd = "\r\n--parley-load--\r\n";
void begin_list(std::string& out);
void put_list_entry(std::string& out, std::string_view uri);
void end_list(std::string& out, std::string_view content_type);

// The text of a body: itself, what a message/cpim holds, or the first of both in a multipart. Empty: there is none.
std::string_view pager_text_of(std::string_view content_type, std::string_view body);

}  // namespace parley::load
