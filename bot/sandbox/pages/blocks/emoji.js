// The short names of the emoji that messages of this kind use most; any other stays as typed.

const TABLE = `
  +1 👍 thumbsup 👍 -1 👎 thumbsdown 👎 ok_hand 👌 clap 👏 wave 👋 raised_hands 🙌 pray 🙏
  muscle 💪 point_up ☝️ point_down 👇 point_left 👈 point_right 👉 raised_hand ✋ hand ✋
  handshake 🤝 writing_hand ✍️ v ✌️ crossed_fingers 🤞 eyes 👀 brain 🧠
  smile 😄 smiley 😃 grin 😁 grinning 😀 joy 😂 wink 😉 blush 😊 slightly_smiling_face 🙂
  neutral_face 😐 thinking_face 🤔 sweat_smile 😅 sob 😭 cry 😢 scream 😱 confused 😕
  disappointed 😞 worried 😟 angry 😠 rage 😡 sunglasses 😎 sleeping 😴 shrug 🤷 facepalm 🤦
  face_with_rolling_eyes 🙄 partying_face 🥳 ghost 👻 robot_face 🤖 alien 👽 skull 💀
  white_check_mark ✅ heavy_check_mark ✔️ ballot_box_with_check ☑️ x ❌ heavy_multiplication_x ✖️
  negative_squared_cross_mark ❎ warning ⚠️ rotating_light 🚨 no_entry ⛔ no_entry_sign 🚫
  octagonal_sign 🛑 construction 🚧 exclamation ❗ heavy_exclamation_mark ❗ grey_exclamation ❕
  question ❓ grey_question ❔ bangbang ‼️ interrobang ⁉️ information_source ℹ️ sos 🆘 new 🆕
  up 🆙 ok 🆗 cool 🆒 free 🆓 100 💯
  red_circle 🔴 large_orange_circle 🟠 large_yellow_circle 🟡 large_green_circle 🟢
  large_blue_circle 🔵 large_purple_circle 🟣 white_circle ⚪ black_circle ⚫
  large_red_square 🟥 large_orange_square 🟧 large_yellow_square 🟨 large_green_square 🟩
  large_blue_square 🟦 white_small_square ▫️ black_small_square ▪️ small_blue_diamond 🔹
  small_orange_diamond 🔸 small_red_triangle 🔺 small_red_triangle_down 🔻
  arrow_up ⬆️ arrow_down ⬇️ arrow_left ⬅️ arrow_right ➡️ arrow_upper_right ↗️
  arrow_lower_right ↘️ leftwards_arrow_with_hook ↩️ arrow_right_hook ↪️ arrows_counterclockwise 🔄
  repeat 🔁 fast_forward ⏩ rewind ⏪ arrow_forward ▶️ double_vertical_bar ⏸️
  black_square_for_stop ⏹️ heavy_plus_sign ➕ heavy_minus_sign ➖
  hourglass ⌛ hourglass_flowing_sand ⏳ alarm_clock ⏰ stopwatch ⏱️ timer_clock ⏲️ watch ⌚
  clock1 🕐 clock3 🕒 clock6 🕕 clock9 🕘 clock12 🕛 calendar 📆 date 📅 spiral_calendar_pad 🗓️
  lock 🔒 unlock 🔓 closed_lock_with_key 🔐 key 🔑 old_key 🗝️ shield 🛡️ bust_in_silhouette 👤
  busts_in_silhouette 👥 male-detective 🕵️‍♂️ female-detective 🕵️‍♀️ police_car 🚓
  fire_engine 🚒 ambulance 🚑 helmet_with_white_cross ⛑️ bomb 💣 boom 💥 collision 💥 fire 🔥 zap ⚡
  bug 🐛 beetle 🐞 ladybug 🐞 spider_web 🕸️ microbe 🦠 fishing_pole_and_fish 🎣 trap 🪤
  computer 💻 desktop_computer 🖥️ keyboard ⌨️ floppy_disk 💾 electric_plug 🔌 battery 🔋
  satellite_antenna 📡 globe_with_meridians 🌐 earth_africa 🌍 cloud ☁️ signal_strength 📶
  gear ⚙️ wrench 🔧 hammer 🔨 hammer_and_wrench 🛠️ nut_and_bolt 🔩 toolbox 🧰 test_tube 🧪
  microscope 🔬 mag 🔍 mag_right 🔎 link 🔗 paperclip 📎 paperclips 🖇️ pushpin 📌 scissors ✂️
  memo 📝 pencil 📝 pencil2 ✏️ clipboard 📋 page_facing_up 📄 page_with_curl 📃 scroll 📜
  file_folder 📁 open_file_folder 📂 card_index_dividers 🗂️ books 📚 book 📖 bookmark 🔖
  label 🏷️ wastebasket 🗑️ package 📦 inbox_tray 📥 outbox_tray 📤 email 📧 envelope ✉️ mailbox 📫
  bar_chart 📊 chart_with_upwards_trend 📈 chart_with_downwards_trend 📉 moneybag 💰
  bell 🔔 no_bell 🔕 loudspeaker 📢 mega 📣 speech_balloon 💬 thought_balloon 💭 phone ☎️
  telephone_receiver 📞 iphone 📱 camera 📷 movie_camera 🎥 bulb 💡 flashlight 🔦 candle 🕯️
  tada 🎉 confetti_ball 🎊 balloon 🎈 gift 🎁 trophy 🏆 medal 🏅 star ⭐ star2 🌟 sparkles ✨
  dart 🎯 rocket 🚀 airplane ✈️ ship 🚢 anchor ⚓ checkered_flag 🏁 triangular_flag_on_post 🚩
  white_flag 🏳️ rainbow 🌈 sunny ☀️ snowflake ❄️ umbrella ☔ ocean 🌊 coffee ☕ beer 🍺 pizza 🍕
  cake 🍰 apple 🍎 heart ❤️ broken_heart 💔 blue_heart 💙 green_heart 💚 yellow_heart 💛
  see_no_evil 🙈 hear_no_evil 🙉 speak_no_evil 🙊 dog 🐶 cat 🐱 snail 🐌 turtle 🐢 unicorn_face 🦄
`;

const words = TABLE.trim().split(/\s+/);

/** Short name without its colons → the emoji. */
export const EMOJI = new Map(
  words.flatMap((word, at) => (at % 2 ? [] : [[word, words[at + 1]]])),
);
