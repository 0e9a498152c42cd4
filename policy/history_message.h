// policy/history_message.h - a message of a record, as it is sent to whose record it is (OMA-HIS-4, OMA-HIS-5).
//
// What was message/cpim goes as it was, byte for byte. Anything else is wrapped, so that From, To and DateTime are told; of a
// message whose body was left out the wrapper is all there is, and says how long it was: Content-Disposition:
// attachment;size=N (RFC 2183). Two header lines of MSRP say of each which way it went, and when:
//
//   History-Direction: sent          or received
//   History-Date: 2026-11-30T07:20:55.123Z
#pragma once

#include <string>

#include "core/store/store.h"

namespace parley::policy {

struct HistorySend {
  std::string headers;  // of its SEND: Message-ID first, Content-Type last
  std::string body;
};
// `record`: without `people`.
[[nodiscard]] HistorySend put_history_message(const core::HistoryRecordRow& record, core::HistoryMessageRow&& message);

}  // namespace parley::policy
