// policy/overdue_answers.h - which users owe an answer to a system message whose time has run out (SEED4-6.1.1.1-2).
//
// Filled by whoever sends system messages; asked by the originating checks. Core-local; at most users_max users. The
// answer itself is never held back (DEC-22): it is known by where it goes, or by the message it names.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "policy/user_key.h"
#include "sip/flow.h"
#include "sip/value.h"

namespace parley::policy {

class OverdueAnswers {
 public:
  explicit OverdueAnswers(std::uint32_t users_max) : users_max_(users_max) {}

  // `user` by his user_key. False: there are too many; he is not blocked.
  bool mark(std::string_view user, std::string_view answer_to, std::string_view message_call_id) {
    if (users_.size() >= users_max_ && users_.find(user) == users_.end()) return false;
    users_.insert_or_assign(std::string(user), Owed{user_key(answer_to), std::string(message_call_id)});
    return true;
  }
  void clear(std::string_view user) {
    if (const auto there = users_.find(user); there != users_.end()) users_.erase(there);
  }

  [[nodiscard]] bool empty() const { return users_.empty(); }
  [[nodiscard]] bool holds_back(std::string_view user, const sip::Received& request) const {
    const auto there = users_.find(user);
    return there != users_.end() && !is_answer(there->second, request);
  }

 private:
  struct Owed {
    std::string answer_to;  // user_key
    std::string call_id;
  };
  [[nodiscard]] static bool is_answer(const Owed& owed, const sip::Received& request) {
    if (!owed.answer_to.empty() && user_key(request.head.uri.of(request.bytes)) == owed.answer_to) return true;
    sip::Items named(request.head.value(sip::HeaderId::in_reply_to, request.bytes));
    for (std::string_view call_id; named.next(call_id);) {
      if (call_id == owed.call_id) return true;
    }
    return false;
  }

  const std::uint32_t users_max_;
  std::map<std::string, Owed, std::less<>> users_;
};

}  // namespace parley::policy
