// policy/history_text.h - what the record of a conversation says of it, read from the request that began it (history_recorder.h).
#pragma once

#include <string>
#include <string_view>

#include "policy/history_recorder.h"
#include "sip/flow.h"

namespace parley::policy {

// The value of a From or To without its tag, and nothing else behind the address; as it is when it is none.
[[nodiscard]] std::string without_tag(std::string_view value);

// The URIs in lists of recipients of its body, each with a line end: in those it is sent with, or, `history`, in those that
// tell its receiver of the others. Who is anonymous there stays so (OMA-HIS-7).
[[nodiscard]] std::string people_of(const sip::Received& request, bool history);

// A MESSAGE that has been accepted, as the record of that user, who has sent it or got it.
void record_message(HistoryRecorder& recorder, const sip::Received& request, std::string_view aor, bool sent, std::int64_t at_ms);

// What the record of who gets it needs of a MESSAGE that he may accept when it is not at hand any more.
struct LateMessage {
  HistoryRecorder::Beginning beginning;
  std::string type;
  std::string body;
};
[[nodiscard]] LateMessage late_message(const sip::Received& request, std::string_view aor);
void record_message(HistoryRecorder& recorder, LateMessage&& message, std::int64_t at_ms);

}  // namespace parley::policy
