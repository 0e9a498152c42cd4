// policy/user_news.cc - see user_news.h.
#include "policy/user_news.h"

#include "policy/service_mail.h"

namespace parley::policy {

void UserNews::added(std::string_view aor, std::string_view sender, bool tried) {
  if (home_.has(aor)) {
    deferred_.added(aor, sender, tried);
    watch_.changed(aor);
    return;
  }
  MailWriter(mail_, ServiceMail::deferred).put(tried).text(aor).text(sender);
  transport_.send_mail(home_.shard_of(aor), mail_, true);
}

void UserNews::list_changed(std::string_view aor, bool reminds) {
  if (!home_.has(aor)) {
    MailWriter(mail_, ServiceMail::list_changed).put(reminds).text(aor);
    transport_.send_mail(home_.shard_of(aor), mail_);
  } else if (reminds) {
    watch_.remind(aor);
  } else {
    watch_.changed(aor);
  }
}

void UserNews::fetched(std::string_view aor, std::uint64_t id) {
  if (!home_.has(aor)) {
    MailWriter(mail_, ServiceMail::fetched).put(id).text(aor);
    transport_.send_mail(home_.shard_of(aor), mail_, true);
    return;
  }
  deferred_.removed(aor, id);
  watch_.changed(aor);
}

void UserNews::history_changed(std::string_view aor) {
  if (home_.has(aor)) return history_lists_.changed(aor);
  MailWriter(mail_, ServiceMail::history_changed).text(aor);
  transport_.send_mail(home_.shard_of(aor), mail_);
}

}  // namespace parley::policy
