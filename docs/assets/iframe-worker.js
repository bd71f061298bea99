// A page opened from disk may not start a worker. The search then runs in a hidden frame that behaves like one.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.appendChild(frame);
      this.inner = frame.contentWindow;
      this.inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      this.inner.importScripts = async (...urls) => {
        for (const url of urls) await this.load(url);
      };
      this.started = this.load(url);
    }
    load(url) {
      const script = this.inner.document.createElement("script");
      script.src = url;
      this.inner.document.body.appendChild(script);
      return new Promise((resolve) => (script.onload = resolve));
    }
    async postMessage(data) {
      await this.started;
      this.inner.dispatchEvent(new MessageEvent("message", { data }));
    }
    terminate() {}
  };
}
