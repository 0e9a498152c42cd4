// sip/early_dialogs.cc - see early_dialogs.h.
#include "sip/early_dialogs.h"

#include <algorithm>
#include <utility>

namespace parley::sip {

EarlyDialog* EarlyDialogs::find(std::string_view remote_tag) {
  for (std::optional<EarlyDialog>& fork : dialogs_) {
    if (fork && fork->dialog.remote_tag() == remote_tag) return &*fork;
  }
  return nullptr;
}

EarlyDialog* EarlyDialogs::find(std::uint64_t number) {
  for (std::optional<EarlyDialog>& fork : dialogs_) {
    if (fork && fork->number == number) return &*fork;
  }
  return nullptr;
}

std::optional<EarlyDialog>* EarlyDialogs::free_place(bool for_2xx) {
  for (std::optional<EarlyDialog>& fork : dialogs_) {
    if (!fork) return &fork;
  }
  if (!for_2xx) return nullptr;
  for (std::optional<EarlyDialog>& fork : dialogs_) {
    if (fork->dialog.state() == DialogState::early) return &fork;
  }
  return nullptr;
}

EarlyDialog* EarlyDialogs::take(const OpeningRequest& ours, const Head& response, std::string_view bytes,
                                const Essentials& essentials, DialogFault& fault) {
  const bool ok = response.status >= 200;
  fault = DialogFault::none;
  if (EarlyDialog* const known = find(essentials.to_tag)) {
    if (ok && known->dialog.state() == DialogState::early) fault = known->dialog.confirm(response, bytes);
    return known;
  }
  Dialog dialog(*pool_);
  fault = dialog.open(ours, response, bytes, essentials);
  if (fault != DialogFault::none) return nullptr;
  std::optional<EarlyDialog>* const place = free_place(ok);
  if (place == nullptr) {
    fault = DialogFault::too_long;
    return nullptr;
  }
  place->emplace(EarlyDialog{.dialog = std::move(dialog), .reliable = {}, .offers = offers_, .number = ++numbers_});
  return &**place;
}

void EarlyDialogs::drop(std::uint64_t number) {
  for (std::optional<EarlyDialog>& fork : dialogs_) {
    if (fork && fork->number == number) fork.reset();
  }
}

void EarlyDialogs::drop_early() {
  for (std::optional<EarlyDialog>& fork : dialogs_) {
    if (fork && fork->dialog.state() == DialogState::early) fork.reset();
  }
}

std::uint64_t EarlyDialogs::due(core::Instant now) {
  for (std::optional<EarlyDialog>& fork : dialogs_) {
    if (fork && fork->reliable.due(now)) return fork->number;
  }
  return 0;
}

core::Instant EarlyDialogs::next_deadline() const {
  core::Instant first = core::never;
  for (const std::optional<EarlyDialog>& fork : dialogs_) {
    if (fork) first = std::min(first, fork->reliable.next_deadline());
  }
  return first;
}

std::size_t EarlyDialogs::size() const {
  return static_cast<std::size_t>(
      std::count_if(dialogs_.begin(), dialogs_.end(), [](const auto& fork) { return fork.has_value(); }));
}

}  // namespace parley::sip
