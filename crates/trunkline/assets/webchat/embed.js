// Puts the chat into a corner of any page:
//   <script src="https://GATEWAY/chat/embed.js" data-label="Chat with us" async></script>
// The page's origin has to stand in TRUNKLINE_WEBCHAT_ORIGINS.
(() => {
  const script = document.currentScript;
  if (!script) return;
  const chat = new URL('../chat', script.src);
  const label = script.dataset.label || 'Chat';

  const style = (element, rules) => Object.assign(element.style, rules);
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = label;
  button.setAttribute('aria-expanded', 'false');
  style(button, {
    all: 'initial', position: 'fixed', right: '20px', bottom: '20px', zIndex: '2147483000', boxSizing: 'border-box',
    minHeight: '48px', padding: '12px 22px', borderRadius: '24px', cursor: 'pointer', background: '#16181d',
    color: '#ffffff', border: '1px solid #5f6571', font: '600 16px/22px system-ui, sans-serif',
    boxShadow: '0 6px 24px rgb(10 14 20 / 28%)',
  });
  button.addEventListener('focus', () => style(button, { outline: '3px solid #5b8cff', outlineOffset: '2px' }));
  button.addEventListener('blur', () => style(button, { outline: 'none' }));

  let frame = null;
  const narrow = matchMedia('(max-width: 480px)');

  function place() {
    if (!frame) return;
    style(frame, narrow.matches
      ? { inset: '0', width: '100%', height: '100%', borderRadius: '0' }
      : { inset: 'auto 20px 84px auto', width: '400px', height: 'min(640px, calc(100vh - 104px))', borderRadius: '16px' });
  }

  function open() {
    if (!frame) {
      frame = document.createElement('iframe');
      frame.src = chat.href;
      frame.title = label;
      style(frame, {
        position: 'fixed', zIndex: '2147483001', border: '0', background: 'Canvas', colorScheme: 'light dark',
        boxShadow: '0 0 0 1px rgb(10 14 20 / 12%), 0 12px 48px rgb(10 14 20 / 30%)',
      });
      frame.addEventListener('load', () => frame.focus());
      document.body.append(frame);
    }
    place();
    frame.hidden = false;
    frame.style.display = 'block';
    frame.focus();
    button.setAttribute('aria-expanded', 'true');
  }

  function close() {
    if (!frame) return;
    frame.hidden = true;
    frame.style.display = 'none';
    button.setAttribute('aria-expanded', 'false');
    button.focus();
  }

  button.addEventListener('click', () => (button.getAttribute('aria-expanded') === 'true' ? close() : open()));
  narrow.addEventListener('change', place);
  addEventListener('message', (event) => {
    if (event.origin !== chat.origin || event.source !== frame?.contentWindow) return;
    if (event.data === 'trunkline-chat:close') close();
  });
  const add = () => document.body.append(button);
  if (document.body) add();
  else addEventListener('DOMContentLoaded', add);
})();
