// policy/sip_history_lists.cc - what is asked of users' histories: by whom they are listed, deleted and fetched (OMA-HIS-1,
// OMA-HIS-5). See sip_service.h.
#include <charconv>

#include "policy/deferred_reference.h"
#include "policy/history_reference.h"
#include "policy/service_mail.h"
#include "policy/sip_service.h"
#include "sip/uri.h"

namespace parley::policy {

void SipService::finish_history_subscribe(const Received& request, const sip::RequestMatch& match,
                                          std::uint16_t status) {
  if (status == 200) {
    keep(request.flow, now_.mono + std::chrono::seconds(history_lists_.granted_s()) + config_->transport.idle);
  } else {
    responder_.refuse_once(request, match, status, history_lists_.headers());
  }
}

// Empty: it is answered later.
std::string SipService::answer_history(const core::AdminRequest& request) {
  using Kind = core::AdminRequest::Kind;
  if (!config_->im.history_access.on)
    return "{\"error\":\"there are no histories here: they need the role participating and a store\"}";
  std::string aor;
  std::string_view which;
  if (std::string answer = read_question(request.argument, aor, which); !answer.empty()) return answer;
  if (request.kind != Kind::history_delete) {
    history_lists_.list(request.id, aor,
                        request.kind == Kind::history_list ? HistoryList::Form::document : HistoryList::Form::entries);
    return {};
  }
  std::vector<std::uint64_t> ids;
  if (which != "all") {
    std::uint64_t id = 0;
    const auto read = std::from_chars(which.data(), which.data() + which.size(), id);
    if (read.ec != std::errc{} || read.ptr != which.data() + which.size() || id == 0 || id >> 63 != 0) {
      return "{\"deleted\":false,\"records\":0}";
    }
    ids.push_back(id);
  }
  history_lists_.remove(request.id, aor, std::move(ids));
  return {};
}

// What an INVITE to that user is to fetch; nothing: it names nothing in the store.
std::optional<Focus::ToFetch> SipService::named_in_store(std::string_view user) const {
  if (stored_ == nullptr) return std::nullopt;
  if (const auto id = deferred_id(user); id && config_->im.deferred.on) return Focus::ToFetch{.id = *id};
  if (const auto id = history_id(user); id && config_->im.history_access.on)
    return Focus::ToFetch{.id = *id, .record = true};
  return std::nullopt;
}

}  // namespace parley::policy
