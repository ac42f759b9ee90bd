/// The look of the page: one column of cards, tabular figures, the colours of Okabe and Ito.
///
/// Their colours stay apart under every common colour deficiency; here a dash or a hatch tells marks apart as well.
///
/// - Source: Okabe and Ito, "Color Universal Design", 2008.
enum Stylesheet {
    static let css = """
        :root{--ink:#16202b;--soft:#5a6673;--page:#f4f6f8;--card:#fff;--edge:#dfe4ea;--grid:#e8ecf0;--good:#00734f;\
        --bad:#b3400a;--good-ground:#e3f4ee;--bad-ground:#fbe9df;--link:#005a91;--wash:#f6f8fa;\
        --blue:#0072b2;--orange:#e69f00;--green:#009e73;--pink:#cc79a7;--sky:#56b4e9;--red:#d55e00}
        @media (prefers-color-scheme:dark){:root{--ink:#e8edf2;--soft:#9aa7b5;--page:#0e1319;--card:#161d25;\
        --edge:#2a343f;--grid:#26303a;--good:#4fd0a5;--bad:#ff9a5c;--good-ground:#10332a;--bad-ground:#3d2314;\
        --link:#7cc4f5;--wash:#1b232c;--blue:#3f9fdc;--orange:#e9ab26;--green:#1fb58a;--pink:#d893ba;--sky:#7cc6f2;\
        --red:#ee7a2a}}
        *{box-sizing:border-box}
        html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
        body{margin:0 auto;max-width:1120px;padding:28px 24px 56px;background:var(--page);color:var(--ink);\
        font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;\
        font-variant-numeric:tabular-nums}
        a{color:var(--link)}
        h1,h2,h3,p{margin:0}
        h1{font-size:32px;line-height:1.2;letter-spacing:-.015em;font-weight:680}
        h2{font-size:21px;line-height:1.3;letter-spacing:-.01em;font-weight:650}
        h3{font-size:15px;line-height:1.4;font-weight:650;margin:24px 0 6px}
        .brand{display:flex;align-items:center;gap:9px;font-size:14px;font-weight:650;color:var(--soft);\
        margin-bottom:20px}
        .brand svg{width:26px;height:18px}
        .question{font-size:18px;color:var(--soft);margin-top:6px;max-width:46em}
        .verdict{display:flex;flex-wrap:wrap;align-items:center;gap:10px 14px;margin:22px 0 14px}
        .pill{display:inline-flex;align-items:center;gap:7px;border-radius:99px;padding:5px 14px 5px 11px;\
        font-weight:650;white-space:nowrap}
        .pill.good{background:var(--good-ground);color:var(--good)}
        .pill.bad{background:var(--bad-ground);color:var(--bad)}
        .meta{color:var(--soft);font-size:15px}
        .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(176px,1fr));gap:1px;background:var(--card);\
        border:1px solid var(--edge);border-radius:12px;overflow:hidden;margin:0;padding:0}
        .tile{box-shadow:0 0 0 1px var(--edge);padding:16px 18px 15px}
        .tile dt{font-size:13px;color:var(--soft)}
        .tile dd{margin:0}
        .tile .figure{font-size:27px;line-height:1.25;font-weight:650;letter-spacing:-.02em}
        .tile .aside{font-size:13px;line-height:1.4;color:var(--soft);display:block}
        nav ul{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;margin:20px 0 18px;padding:0;font-size:14px}
        nav a{text-decoration:none}
        nav a:hover,nav a:focus{text-decoration:underline}
        section{background:var(--card);border:1px solid var(--edge);border-radius:12px;padding:24px 26px 26px;\
        margin-bottom:18px}
        .lead{margin:4px 0 16px;color:var(--soft);max-width:52em}
        .small{font-size:13px;color:var(--soft);margin-top:10px;max-width:60em}
        .prose{margin:0;padding-left:20px;max-width:50em}
        .prose li{margin:3px 0}
        .plain{list-style:none;margin:0;padding:0}
        .plain details{margin:0}
        .pair{display:grid;grid-template-columns:1fr 1fr;gap:8px 34px}
        .pair>*{min-width:0}
        .scroll{overflow-x:auto}
        svg.wide{display:block;width:100%;min-width:660px;height:auto}
        svg.half{display:block;width:100%;min-width:330px;height:auto}
        .defs{position:absolute;width:0;height:0}
        svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;\
        fill:var(--soft);font-variant-numeric:tabular-nums}
        svg text.axis{font-weight:600}
        svg text.name{fill:var(--ink)}
        svg text.note{fill:var(--ink);font-size:11.5px;paint-order:stroke;stroke:var(--card);stroke-width:3px}
        svg text.mid{text-anchor:middle}
        svg text.end{text-anchor:end}
        .c1{--c:var(--blue)}.c2{--c:var(--orange)}.c3{--c:var(--green)}.c4{--c:var(--pink)}.c5{--c:var(--sky)}\
        .c6{--c:var(--red)}
        .grid{stroke:var(--grid);stroke-width:1}
        .line{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round}
        .dashed{stroke-dasharray:6 3}
        .dotted{stroke-dasharray:1.5 3}
        .area{fill:var(--c);opacity:.16}
        .fill{fill:var(--c)}
        .hatched.c1{fill:url(#hatch1)}.hatched.c2{fill:url(#hatch2)}.hatched.c3{fill:url(#hatch3)}\
        .hatched.c4{fill:url(#hatch4)}.hatched.c5{fill:url(#hatch5)}.hatched.c6{fill:url(#hatch6)}
        .hatch-ground{fill:var(--c);opacity:.22}
        .hatch-line{fill:var(--c);opacity:.75}
        .rule{stroke:var(--ink);stroke-width:1.2;stroke-dasharray:3 3}
        .joint{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 2}
        .leader{stroke:var(--soft);stroke-width:1}
        .whisker{stroke:var(--c);stroke-width:1.6}
        .dot{fill:var(--c)}
        .ring{fill:var(--card);stroke:var(--c);stroke-width:2}
        .target{fill:none;stroke:var(--ink);stroke-width:1.2;stroke-dasharray:4 2.5}
        .legend{display:flex;flex-wrap:wrap;gap:2px 18px;list-style:none;margin:4px 0 6px;padding:0;font-size:13px;\
        color:var(--soft)}
        .legend li{display:flex;align-items:center;gap:7px}
        .swatch{width:22px;height:12px;flex:none}
        table{border-collapse:collapse;width:100%;font-size:14px;line-height:1.4}
        caption{text-align:left;font-weight:650;padding:14px 0 6px}
        th,td{padding:6px 12px 6px 0;text-align:right;border-bottom:1px solid var(--grid);vertical-align:top;\
        font-weight:400;white-space:nowrap}
        th:last-child,td:last-child{padding-right:2px}
        th.t,td.t{text-align:left}
        td.wrap{white-space:normal;min-width:16em}
        thead th{color:var(--soft);font-size:13px;vertical-align:bottom;white-space:normal;border-color:var(--edge)}
        tfoot th,tfoot td{border-bottom:0;font-weight:650}
        tfoot tr:first-child th,tfoot tr:first-child td{border-top:1px solid var(--edge)}
        .bar{width:110px;height:10px;display:inline-block;vertical-align:baseline}
        .track{fill:var(--grid)}
        .yes{color:var(--good);font-weight:650}
        .no{color:var(--bad);font-weight:650}
        .muted td,.muted th,.faint{color:var(--soft)}
        .under{display:block;font-size:12.5px;color:var(--soft)}
        details{margin-top:12px;font-size:14px}
        summary{cursor:pointer;color:var(--link);font-size:14px}
        .facts{display:grid;grid-template-columns:minmax(9em,13em) 1fr;gap:0;margin:0;font-size:14px}
        .facts dt,.facts dd{padding:6px 12px 6px 0;margin:0;border-bottom:1px solid var(--grid);min-width:0}
        .facts dt{color:var(--soft)}
        code,pre{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;\
        overflow-wrap:anywhere}
        pre{background:var(--wash);border:1px solid var(--edge);border-radius:8px;padding:12px 14px;margin:0 0 14px;\
        white-space:pre-wrap}
        footer{color:var(--soft);font-size:13px;margin-top:22px;overflow-wrap:anywhere}
        @media screen and (max-width:760px){body{padding:18px 12px 40px}h1{font-size:26px}section{padding:18px 16px 20px}\
        .pair{grid-template-columns:1fr}.facts{grid-template-columns:1fr}.facts dt{border-bottom:0;padding-bottom:0}\
        .facts dd{padding-top:0}.tile .figure{font-size:23px}.tiles{grid-template-columns:1fr 1fr}}
        @media print{:root{--ink:#000;--soft:#444;--page:#fff;--card:#fff;--edge:#bbb;--grid:#ddd;--good:#00573c;\
        --bad:#8a2f05;--good-ground:#fff;--bad-ground:#fff;--link:#000;--wash:#fff;--blue:#0072b2;--orange:#e69f00;\
        --green:#009e73;--pink:#cc79a7;--sky:#56b4e9;--red:#d55e00}
        @page{size:A4;margin:14mm}
        body{max-width:none;padding:0;font-size:11pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}
        nav{display:none}section{border:0;border-top:1px solid var(--edge);border-radius:0;padding:14px 0}
        .pill{border:1px solid}
        svg,tr,h2,h3,.tile{break-inside:avoid}h2,h3,.lead{break-after:avoid}.scroll{overflow:visible}
        svg.wide,svg.half{min-width:0}
        table,thead th{font-size:7.8pt}.under{font-size:7pt}th,td{padding:3px 7px 3px 0;white-space:normal}
        tfoot{display:table-row-group}
        details::details-content{content-visibility:visible;block-size:auto}}

        """

    static let html = HTML(stringLiteral: css)
}
