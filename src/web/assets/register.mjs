// An invitation's link carries it behind the #, where no server's log sees it: from there into its field.
const field = document.querySelector('input[name=invite]');
const code = decodeURIComponent(location.hash.slice(1));
if (field && /^inv_\w+$/.test(code)) {
  field.value = code;
  history.replaceState(null, '', location.pathname + location.search);
  document.querySelector('input[name=username]').focus();
}
